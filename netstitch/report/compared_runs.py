"""Several runs of one task, grouped by what they were asked, and what each group found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netstitch.analysis import FrontPoint, hypervolume
from netstitch.analysis.dominance import SPLITS, Split
from netstitch.analysis.front_chart import Floor, accuracy_floor
from netstitch.errors import DataError
from netstitch.records.run_folder import flat
from netstitch.records.run_record import RunRecord, read_run
from netstitch.records.run_state import how_on, state_of

LEFT_OUT = ("seed", "name", "folder", "output")
"""What runs of one group may differ in, beside how their evaluations were spread."""


@dataclass(frozen=True)
class RunGroup:
    """Runs that were asked the same but for their seeds."""

    name: str
    runs: tuple[RunRecord, ...]


@dataclass(frozen=True)
class Comparison:
    """Groups of runs, and the reference point that hypervolumes have in common.

    floor: the accuracy, ensemble: the multiply-adds. notes: what a reader must know.
    """

    groups: tuple[RunGroup, ...]
    floor: float
    ensemble: int
    notes: tuple[str, ...]

    @property
    def parts(self) -> tuple[Split, ...]:
        """What all runs were measured on."""
        runs = [run for group in self.groups for run in group.runs]
        return tuple(part for part in SPLITS if all(part in run.front.parts for run in runs))

    def volume(self, run: RunRecord, part: Split) -> float:
        """The hypervolume of a run's front."""
        known = networks_of(run, part)
        return hypervolume(
            [accuracy for _, accuracy in known],
            [int(cost) for cost, _ in known],
            ensemble=self.ensemble,
            accuracy_floor=self.floor,
        )


def networks_of(run: RunRecord, part: Split) -> list[tuple[float, float]]:
    """Multiply-adds and accuracies of a run's front."""
    points: Sequence[FrontPoint] = run.front.points
    return [(p.multiply_adds, a) for p in points if (a := p.accuracy(part)) is not None]


def read_runs(folders: Sequence[Path], floor: Floor = "tenth") -> Comparison:
    """Runs, grouped; floor: as of `write_page`, of all runs' reference networks.

    Raises DataError where there are fewer than two, one is named twice, they are of different
    tasks, or one has evaluated nothing, and StorageError as `read_run` does.
    """
    if len(folders) < 2:
        raise DataError(f"{len(folders)} run was given to compare; give two or more run folders")
    places = [folder.resolve() for folder in folders]
    named = zip(folders, places, strict=True)
    twice = next((folder for folder, place in named if places.count(place) > 1), None)
    if twice is not None:
        raise DataError(f"{twice} was given twice; give each run once")
    runs = [read_run(folder) for folder in folders]
    for run in runs:
        _check_same_task(runs[0], run)
    notes = [
        f"{run.folder} is {'still running' if run.state == 'running' else 'not done'}: it counts "
        f"as far as it is; {how_on(run.folder, running=run.state == 'running')}"
        for run in runs
        if run.state != "done"
    ]
    made = {tuple(sorted(run.document.versions.items())) for run in runs}
    if len(made) > 1:
        notes.append("The runs were made with different versions of netstitch or torch.")
    if len({run.scored for run in runs}) > 1:
        notes.append(
            "The runs searched for different objectives: what they found is compared by accuracy, "
            "and how they came to it is not."
        )
    ensemble = runs[0].front.ensemble
    cost = sum(graph.multiply_adds for graph in runs[0].structure.graphs)
    return Comparison(
        _grouped(runs),
        accuracy_floor(runs[0].front.references or runs[0].front.points, ["validation"], floor),
        cost if ensemble is None else ensemble.multiply_adds,
        tuple(notes),
    )


def _check_same_task(first: RunRecord, run: RunRecord) -> None:
    """Networks and samples are the same, by their digests; only then numbers can be compared."""
    if not run.front.points:
        running = run.state == "running"
        raise DataError(
            f"{run.folder} has evaluated nothing yet, since it is "
            f"{state_of(run.folder, run.document, running=running)}, so there is nothing to "
            f"compare; leave it out, or {how_on(run.folder, running=running)}"
        )
    one, other = first.document, run.document
    for kind, ours, theirs in (
        ("samples", one.samples, other.samples),
        ("networks", one.networks, other.networks),
    ):
        for name in sorted({*ours, *theirs} - {"training"}):
            if ours.get(name) != theirs.get(name):
                what = f"{name} samples" if kind == "samples" else f"network {name!r}"
                raise DataError(
                    f"{run.folder} is of another task than {first.folder}: the {what} differ; "
                    "compare runs of the same networks and samples"
                )


def _grouped(runs: Sequence[RunRecord]) -> tuple[RunGroup, ...]:
    """Groups in the order of their first runs, named by what they differ in."""
    asked = [_asked(run) for run in runs]
    keys = sorted({key for one in asked for key in one})
    differing = [key for key in keys if len({repr(one.get(key)) for one in asked}) > 1]
    members: dict[str, list[RunRecord]] = {}
    for run, one in zip(runs, asked, strict=True):
        name = ", ".join(_told(key, one[key]) for key in differing if one.get(key) is not None)
        members.setdefault(name or "all runs", []).append(run)
    return tuple(RunGroup(name, tuple(own)) for name, own in members.items())


def _asked(run: RunRecord) -> Mapping[str, Any]:
    found: dict[str, Any] = flat(run.document.asked)
    return {
        key: value
        for key, value in found.items()
        if key not in LEFT_OUT and not key.startswith("evaluation.") and not key.endswith(".seed")
    }


def _told(key: str, value: Any) -> str:
    """ "search.algorithm": "ga" is told as "ga", "search.population": 64 as "population 64"."""
    name = key.rpartition(".")[2].replace("_", " ")
    text = str(value) if name in ("algorithm", "procedure") else f"{name} {value}"
    return text.encode(errors="replace").decode()  # of file names that are not UTF-8

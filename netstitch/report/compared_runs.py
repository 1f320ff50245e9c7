"""Several runs of one task, in groups of the same settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from netstitch.analysis.front_chart import Floor, accuracy_floor
from netstitch.analysis.front_point import SPLITS, Split
from netstitch.analysis.hypervolume import hypervolume_of
from netstitch.errors import DataError
from netstitch.records.run_folder import flat
from netstitch.records.run_record import RunRecord, read_run
from netstitch.records.run_state import how_on, state_of

LEFT_OUT = ("seed", "name", "folder", "output")
"""Settings that runs of one group may differ in, beside how their evaluations were spread."""


@dataclass(frozen=True)
class RunGroup:
    """Runs that were asked the same but for their seeds."""

    name: str
    runs: tuple[RunRecord, ...]


@dataclass(frozen=True)
class Comparison:
    """Groups of runs, and the reference point that hypervolumes have in common.

    Attributes:
        floor: Its accuracy.
        ensemble: Its cost.
        unit: Of the cost.
        notes: What a reader must know.
    """

    groups: tuple[RunGroup, ...]
    floor: float
    ensemble: float
    unit: str
    notes: tuple[str, ...]

    @property
    def runs(self) -> tuple[RunRecord, ...]:
        """The runs of all groups."""
        return tuple(run for group in self.groups for run in group.runs)

    @property
    def parts(self) -> tuple[Split, ...]:
        """The parts of the data that all runs were measured on."""
        return tuple(part for part in SPLITS if all(part in run.front.parts for run in self.runs))

    def volume(self, run: RunRecord, part: Split) -> float:
        """Return the hypervolume of a run's front."""
        ensemble, floor = self.ensemble, self.floor
        points = run.front.points
        return hypervolume_of(points, part, ensemble=ensemble, accuracy_floor=floor) or 0.0


def networks_of(run: RunRecord, part: Split) -> list[tuple[float, float]]:
    """Return costs and accuracies of a run's front."""
    return [(p.cost, a) for p in run.front.points if (a := p.accuracy(part)) is not None]


def read_runs(folders: Sequence[Path], floor: Floor = "tenth") -> Comparison:
    """Read runs, and group them.

    Args:
        folders: Of the runs.
        floor: As of `write_page`, of all runs' reference networks.

    Raises:
        DataError: There are fewer than two, one is given twice, one has evaluated nothing, or they
            are of different tasks or costs.
        StorageError: As `read_run` does.
    """
    if len(folders) < 2:
        raise DataError(f"{len(folders)} run was given to compare; give two or more run folders")
    resolved = [folder.resolve() for folder in folders]
    twice = next((folder for folder in folders if resolved.count(folder.resolve()) > 1), None)
    if twice is not None:
        raise DataError(f"{twice} was given twice; give each run once")
    runs = [read_run(folder) for folder in folders]
    for run in runs:
        _check_comparable(runs[0], run)
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
    front = runs[0].front
    return Comparison(
        _grouped(runs),
        accuracy_floor(front.references or front.points, ["validation"], floor),
        front.ensemble_cost,
        front.unit,
        tuple(notes),
    )


def _check_comparable(first: RunRecord, run: RunRecord) -> None:
    """Raise DataError unless networks and samples are the same, by their digests, and the cost."""
    if not run.front.points:
        running = run.state == "running"
        raise DataError(
            f"{run.folder} has evaluated nothing yet, since it is "
            f"{state_of(run.folder, run.document, running=running)}, so there is nothing to "
            f"compare; leave it out, or {how_on(run.folder, running=running)}"
        )
    if run.front.cost_name != first.front.cost_name:
        raise DataError(
            f"{run.folder} has the cost {run.front.cost_name}, and {first.folder} "
            f"{first.front.cost_name}; compare runs of one cost"
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
    """Return groups in the order of their first runs, named by the settings that differ."""
    configs = [_config(run) for run in runs]
    keys = sorted({key for config in configs for key in config})
    differing = [key for key in keys if len({repr(each.get(key)) for each in configs}) > 1]
    members: dict[str, list[RunRecord]] = {}
    for run, config in zip(runs, configs, strict=True):
        settings = [(key, config[key]) for key in differing if config.get(key) is not None]
        name = ", ".join(_setting(key, value) for key, value in settings)
        members.setdefault(name or "all runs", []).append(run)
    return tuple(RunGroup(name, tuple(own)) for name, own in members.items())


def _config(run: RunRecord) -> Mapping[str, Any]:
    found: dict[str, Any] = flat(run.document.config)
    return {
        key: value
        for key, value in found.items()
        if key not in LEFT_OUT and not key.startswith("evaluation.") and not key.endswith(".seed")
    }


def _setting(key: str, value: object) -> str:
    """Return "ga" for "search.algorithm", and "population 64" for "search.population"."""
    name = key.rpartition(".")[2].replace("_", " ")
    text = str(value) if name in ("algorithm", "procedure") else f"{name} {value}"
    return text.encode(errors="replace").decode()  # of file names that are not UTF-8

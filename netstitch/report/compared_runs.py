"""Several runs of one task, in groups of the same settings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from netstitch.analysis.front_chart import Floor
from netstitch.analysis.front_point import SPLITS, MeasuredPoint, Split
from netstitch.analysis.hypervolume import ReferencePoint, hypervolume_of, reference_points
from netstitch.errors import DataError
from netstitch.records.run_document import how_on, state_of
from netstitch.records.run_folder import flat
from netstitch.records.run_record import RunRecord, read_run
from netstitch.text import listed

LEFT_OUT = ("seed", "name", "folder", "output")
"""Settings that runs of one group may differ in, beside how their evaluations were spread."""


@dataclass(frozen=True)
class RunGroup:
    """Runs that were asked the same but for their seeds."""

    name: str
    runs: tuple[RunRecord, ...]


@dataclass(frozen=True)
class Comparison:
    """Groups of runs, and the reference points that hypervolumes have in common.

    Attributes:
        over_floor: That of a floor of accuracies.
        over_worst: That of the worst reference's accuracy.
        unit: Of the costs.
        notes: What a reader must know.
    """

    groups: tuple[RunGroup, ...]
    over_floor: ReferencePoint
    over_worst: ReferencePoint
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

    @property
    def over_scores(self) -> ReferencePoint:
        """The point that hypervolumes of searches count from, 0 where scores are no accuracies."""
        if all(run.scored_as_front for run in self.runs):
            return self.over_floor
        return ReferencePoint(self.over_floor.ensemble)

    @property
    def cascades(self) -> bool:
        """Some run has cascades."""
        return any(run.front.cascades for run in self.runs)

    @property
    def plain_runs(self) -> tuple[RunRecord, ...]:
        """The runs that have cascades, and so plain ones beside them, or the references alone."""
        return tuple(run for run in self.runs if run.front.has_cascades)

    def volume(self, run: RunRecord, part: Split) -> float:
        """Return the hypervolume of a run's networks, over the floor."""
        return hypervolume_of(run.front.points, part, self.over_floor) or 0.0

    def volume_over_worst(self, run: RunRecord, part: Split) -> float:
        """Return the hypervolume of a run's networks, over the worst reference."""
        return hypervolume_of(run.front.points, part, self.over_worst) or 0.0

    def volume_with_cascades(self, run: RunRecord, part: Split) -> float:
        """Return the hypervolume of a run's networks and cascades, over the floor."""
        return hypervolume_of(run.front.found, part, self.over_floor) or 0.0

    def volume_with_cascades_over_worst(self, run: RunRecord, part: Split) -> float:
        """Return the hypervolume of a run's networks and cascades, over the worst reference."""
        return hypervolume_of(run.front.found, part, self.over_worst) or 0.0

    def plain_volume(self, run: RunRecord, part: Split) -> float | None:
        """Return the hypervolume of references and plain cascades over the floor; None without."""
        return self._plain_volume(run, part, self.over_floor)

    def plain_volume_over_worst(self, run: RunRecord, part: Split) -> float | None:
        """Return the same over the worst reference."""
        return self._plain_volume(run, part, self.over_worst)

    def plain_volumes(self, runs: Iterable[RunRecord], part: Split) -> list[float]:
        """Return `plain_volume` of those of some runs that have one."""
        volumes = (self.plain_volume(run, part) for run in runs)
        return [volume for volume in volumes if volume is not None]

    def _plain_volume(self, run: RunRecord, part: Split, over: ReferencePoint) -> float | None:
        front = run.front
        return hypervolume_of(front.plain, part, over) if front.has_cascades else None


def places_of(points: Sequence[MeasuredPoint], part: Split) -> list[tuple[float, float]]:
    """Return costs and accuracies of points on a part of the data."""
    return [(p.cost_on(part), a) for p in points if (a := p.accuracy(part)) is not None]


def read_runs(folders: Sequence[Path], floor: Floor = "tenth") -> Comparison:
    """Read runs, and group them; the floor is as of `write_page`, of all runs' references.

    Raises:
        DataError: They are fewer than two, or cannot be compared.
        StorageError: As `read_run` does.
    """
    if len(folders) < 2:
        raise DataError(f"{len(folders)} run was given to compare; give two or more run folders")
    resolved = [folder.resolve() for folder in folders]
    for folder, path in zip(folders, resolved, strict=True):
        if resolved.count(path) > 1:
            raise DataError(f"{folder} was given twice; give each run once")
    runs = [read_run(folder) for folder in folders]
    first = runs[0]
    for run in runs:
        _check_comparable(first, run)
    notes = [
        f"{run.folder} is {'still running' if run.running else 'not done'}: it counts "
        f"as far as it is; {how_on(run.folder, running=run.running)}"
        for run in runs
        if run.state != "done"
    ]
    if any(run.document.versions != first.document.versions for run in runs):
        notes.append("The runs were made with different versions of netstitch or torch.")
    if any(run.scored != first.scored for run in runs):
        notes.append(
            "The runs searched for different objectives: what they found is compared by accuracy, "
            "and how they came to it is not."
        )
    fronts = [run.front for run in runs]
    if len({reference_points([front], floor) for front in fronts if front.references}) > 1:
        notes.append(
            "What is known of the references is not the same in all runs: hypervolumes of all "
            "count over the least accuracy and up to the most expensive ensemble among them."
        )
    over_floor, over_worst = reference_points(fronts, floor)
    return Comparison(_grouped(runs), over_floor, over_worst, first.front.unit, tuple(notes))


def _check_comparable(first: RunRecord, run: RunRecord) -> None:
    """Raise DataError unless networks and samples, by their digests, and the cost are the same."""
    if not run.front.points:
        state = state_of(run.folder, run.document, running=run.running)
        raise DataError(
            f"{run.folder} has evaluated nothing yet, since it is {state}, so there is nothing to "
            f"compare; leave it out, or {how_on(run.folder, running=run.running)}"
        )
    if run.front.cost_name != first.front.cost_name:
        raise DataError(
            f"{run.folder} has the cost {run.front.cost_name}, and {first.folder} "
            f"{first.front.cost_name}; compare runs of one cost"
        )
    given, others = first.document.networks, run.document.networks
    if given.keys() != others.keys():
        raise DataError(
            f"{run.folder} is of another task than {first.folder}: its networks are "
            f"{listed([*others])}, not {listed([*given])}; compare runs of the same networks and "
            "samples"
        )
    one, other = _inputs(first), _inputs(run)
    for what in sorted(one | other):
        if one.get(what) != other.get(what):
            raise DataError(
                f"{run.folder} is of another task than {first.folder}: the {what}; "
                "compare runs of the same networks and samples"
            )


def _inputs(run: RunRecord) -> dict[str, str]:
    """Return digests of networks and samples, not training ones, by what is said if they differ."""
    networks, samples = run.document.networks, run.document.samples
    found = {
        f"{part} samples differ": digest for part, digest in samples.items() if part != "training"
    }
    return found | {f"network {name!r} differs": digest for name, digest in networks.items()}


def _grouped(runs: Sequence[RunRecord]) -> tuple[RunGroup, ...]:
    """Return groups in the order of their first runs, named by the settings that differ."""
    configs = [_compared_settings(run) for run in runs]
    keys = sorted({key for config in configs for key in config})
    differing = [key for key in keys if len({repr(each.get(key)) for each in configs}) > 1]
    members: dict[str, list[RunRecord]] = {}
    for run, config in zip(runs, configs, strict=True):
        settings = [(key, config[key]) for key in differing if config.get(key) is not None]
        name = ", ".join(_setting(key, value) for key, value in settings)
        members.setdefault(name or "all runs", []).append(run)
    return tuple(RunGroup(name, tuple(own)) for name, own in members.items())


def _compared_settings(run: RunRecord) -> dict[str, object]:
    return {
        key: value
        for key, value in flat(run.document.config_of_front).items()
        if key not in LEFT_OUT and not key.startswith("evaluation.") and not key.endswith(".seed")
    }


def _setting(key: str, value: object) -> str:
    """Return "ga" for "search.algorithm", and "population 64" for "search.population"."""
    name = key.rpartition(".")[2].replace("_", " ")
    text = str(value) if name in ("algorithm", "procedure") else f"{name} {value}"
    return text.encode(errors="replace").decode()  # of file names that are not UTF-8

"""The whole protocol of an experiment (section 7 of the paper).

One supernet is prepared; each algorithm searches it with each population size of a sweep, and then,
with the size that did best, once for each seed. The sweep has a seed that no run has, since a
search that was chosen for how well it did says nothing of how well its size does. Fronts are
measured on test samples, compared by their hypervolume, and drawn.

FOLDER/
  protocol.json      what was asked
  prepared/          the supernet, fitted; its files are shared by all runs
  ALGORITHM-sweep/   a run of each population size
  ALGORITHM-SEED/    a run
  runs.csv           of each run its hypervolumes, evaluations and seconds
  fronts.png         what each algorithm found

A protocol that was stopped, however that was, goes on where it was when it is carried out again.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from torch import nn

from netstitch.analysis.front_chart import Floor
from netstitch.analysis.front_figure import fronts_figure
from netstitch.analysis.hypervolume import ReferencePoint, hypervolume_of, reference_points
from netstitch.analysis.significance import AgainstBest, compare_with_best
from netstitch.errors import SearchError, StorageError
from netstitch.events import Listener, Message, StageBegan
from netstitch.experiments import RunSettings
from netstitch.files.documents import WORST, Document, read_as
from netstitch.files.folders import check_new, write_json, write_text
from netstitch.optimization.search_state import json_ready
from netstitch.records import read_document
from netstitch.records.run_folder import RUN_FILE, differing, make_folder
from netstitch.runs.recorded_run import FinishedRun, open_run
from netstitch.runs.run import branch_run, prepare_run, resume
from netstitch.searching.sweep import best_of
from netstitch.tasks import Task

EACH_RUN = ("seed", "search.algorithm", "search.population", "search.settings")
"""The settings that the runs of a protocol differ in."""
PREPARED, FORMAT, DOCUMENT = "prepared", "netstitch-protocol-3", "protocol.json"
SWEEP = "sweep"

SettingsFor = Callable[[str, int | str, int], RunSettings]
"""The settings of a run of an algorithm with a population size, or "sweep", and a seed."""


@dataclass(frozen=True)
class Protocol:
    """The runs that a protocol consists of.

    Attributes:
        populations: Of each algorithm; None where a sweep is to find it.
        seeds: Of the runs.
        sweep_seed: Of the sweeps, none of the runs'.
        accuracy: Hypervolumes count from it, and fronts are drawn from it; None for that of the
            worst reference, rounded down to a tenth.

    Raises:
        SearchError: The sweeps have the seed of a run.
    """

    populations: Mapping[str, int | None]
    seeds: tuple[int, ...]
    sweep_seed: int
    accuracy: float | None = None

    def __post_init__(self) -> None:
        if self.sweep_seed in self.seeds:
            raise SearchError(
                f"seed {self.sweep_seed} is that of the sweeps and of a run: give sweeps one that "
                "no run has"
            )


@dataclass(frozen=True)
class Run:
    """One run of a protocol; its fields are the columns of runs.csv.

    `validation` and `test` are hypervolumes of its front on these samples over the protocol's
    accuracy, and with `_over_worst` over the worst reference's; those `with_cascades` are of its
    networks and cascades, those of `_plain_cascades` of the references and plain cascades, where it
    has such, and others of its networks. `networks` and `cascades` count those of its
    front. `skipped` proposals were known by their signature; `unchanged` ones of them changed
    nothing active, which are those that the paper counts as skipped (section 8). `stopped` is why
    the search ended.
    """

    algorithm: str
    population: int
    seed: int
    validation: float
    test: float | None
    validation_over_worst: float
    test_over_worst: float | None
    validation_with_cascades: float
    test_with_cascades: float | None
    validation_with_cascades_over_worst: float
    test_with_cascades_over_worst: float | None
    validation_plain_cascades: float | None
    test_plain_cascades: float | None
    validation_plain_cascades_over_worst: float | None
    test_plain_cascades_over_worst: float | None
    networks: int
    cascades: int
    evaluations: int
    skipped: int
    unchanged: int
    stopped: str
    seconds: float


class ProtocolDocument(Document):
    """protocol.json: a protocol, and what each of its runs is asked."""

    protocol: dict[str, object]
    config: dict[str, object]


@dataclass(frozen=True)
class Concluded:
    """All runs of a protocol, and how the algorithms compare by validation hypervolume.

    Attributes:
        over: What hypervolumes count from.
    """

    folder: Path
    over: ReferencePoint
    runs: tuple[Run, ...]
    compared: tuple[AgainstBest, ...]


def carry_out_protocol(
    protocol: Protocol,
    settings_for: SettingsFor,
    models: Sequence[tuple[str, nn.Module]],
    task: Task,
    folder: Path,
    listener: Listener,
    *,
    name: str,
) -> Concluded:
    """Carry out a protocol in a folder, or what is left of it.

    Ctrl-C ends it with KeyboardInterrupt, and all that there is is kept. The models, by name, are
    not looked at once they are captured; `name` is the title of figures.

    Raises:
        StorageError: The folder is of another protocol.
        NetstitchError: Of a run.
    """
    first, prepared = protocol.seeds[0], folder / PREPARED
    algorithm, population = next(iter(protocol.populations.items()))
    settings = settings_for(algorithm, population or SWEEP, first)
    _claim(folder, protocol, settings)
    prepare_run(settings, models, task, prepared, listener)

    def carry_out_run(settings: RunSettings, name: str) -> FinishedRun:
        """Carry a run out to its end, from where it is."""
        place = folder / name
        if not (place / RUN_FILE).exists():
            branch_run(prepared, settings, place)
        if not read_document(place).done:
            finished = resume(settings, task, place, listener)
            if not finished.outcome.done:
                raise KeyboardInterrupt
        return open_run(place)

    sizes: dict[str, int] = {}
    for algorithm, population in protocol.populations.items():
        if population is None:
            listener(StageBegan(f"{algorithm}: population sizes"))
            settings = settings_for(algorithm, SWEEP, protocol.sweep_seed)
            # It chooses a size, and no network.
            settings = settings.changed(cascades=settings.cascades.changed(enabled=False))
            swept = carry_out_run(settings, f"{algorithm}-{SWEEP}")
            population = _best_size(swept)
            listener(Message(f"{algorithm} does best with a population of {population:,}"))
        sizes[algorithm] = population
    finished: list[tuple[FinishedRun, str, int, int]] = []
    for algorithm, population in sizes.items():
        for seed in protocol.seeds:
            listener(StageBegan(f"{algorithm}, population {population:,}, seed {seed}"))
            settings = settings_for(algorithm, population, seed)
            run = carry_out_run(settings, f"{algorithm}-{seed}")
            finished.append((run, algorithm, population, seed))
    floor: Floor = "tenth" if protocol.accuracy is None else protocol.accuracy
    points = reference_points([run.front for run, *_ in finished], floor)
    runs = [_row(*each, points) for each in finished]
    write_text(folder / "runs.csv", _table(runs))
    fronts = {
        name: [run.front for run, algorithm, *_ in finished if algorithm == name] for name in sizes
    }
    fronts_figure(fronts, folder / "fronts.png", title=name, floor=floor)
    volumes = {name: [r.validation for r in runs if r.algorithm == name] for name in sizes}
    return Concluded(folder, points[0], tuple(runs), tuple(compare_with_best(volumes)))


def _claim(folder: Path, protocol: Protocol, settings: RunSettings) -> None:
    """Note what the folder is for, or see that it is for this."""
    config, plan = settings.config, json_ready(asdict(protocol))
    path = folder / DOCUMENT
    if path.exists():
        before = read_as(path, FORMAT, ProtocolDocument)
        key = differing(before.protocol, plan) or differing(before.config, config, EACH_RUN)
        if key is not None:
            raise StorageError(
                f"{folder} is of a protocol that asked for something else: {key} is not as it "
                "was; give another folder, or what it began with"
            )
        return
    check_new(folder)
    make_folder(folder)
    write_json(path, {"format": FORMAT, "protocol": plan, "config": config})


def _best_size(run: FinishedRun) -> int:
    """Return the population size whose run has the most hypervolume, the first of equal ones."""
    outcome = run.document.outcome
    if outcome is None or not outcome.sweep:
        raise StorageError(f"{run.folder / RUN_FILE} is damaged: it tells of no sweep; {WORST}")
    return best_of(outcome.sweep).population


def _row(
    run: FinishedRun,
    algorithm: str,
    population: int,
    seed: int,
    points: tuple[ReferencePoint, ReferencePoint],
) -> Run:
    front, outcome = run.front, run.document.outcome
    assert outcome is not None  # it is done
    over, worst = points
    networks, both = front.points, front.found
    plain = front.plain if front.has_cascades else ()
    return Run(
        algorithm=algorithm,
        population=population,
        seed=seed,
        validation=hypervolume_of(networks, "validation", over) or 0.0,
        test=hypervolume_of(networks, "test", over),
        validation_over_worst=hypervolume_of(networks, "validation", worst) or 0.0,
        test_over_worst=hypervolume_of(networks, "test", worst),
        validation_with_cascades=hypervolume_of(both, "validation", over) or 0.0,
        test_with_cascades=hypervolume_of(both, "test", over),
        validation_with_cascades_over_worst=hypervolume_of(both, "validation", worst) or 0.0,
        test_with_cascades_over_worst=hypervolume_of(both, "test", worst),
        validation_plain_cascades=hypervolume_of(plain, "validation", over),
        test_plain_cascades=hypervolume_of(plain, "test", over),
        validation_plain_cascades_over_worst=hypervolume_of(plain, "validation", worst),
        test_plain_cascades_over_worst=hypervolume_of(plain, "test", worst),
        networks=len(front),
        cascades=len(front.cascades),
        evaluations=outcome.evaluations,
        skipped=outcome.skipped,
        unchanged=outcome.unchanged,
        stopped=outcome.stopped,
        seconds=round(outcome.search_seconds, 1),
    )


def _table(runs: Sequence[Run]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Run)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(run) for run in runs)
    return text.getvalue()

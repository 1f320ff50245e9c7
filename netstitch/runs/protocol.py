"""The whole protocol of an experiment (section 7 of the paper).

One supernet is prepared; each algorithm searches it with each population size of a sweep, and then,
with the size that did best, once for each seed. Fronts are measured on test samples, compared by
their hypervolume, and drawn.

FOLDER/
  protocol.json      what was asked
  prepared/          the supernet, fitted; its files are shared by all runs
  ALGORITHM-sweep/   a run of each population size
  ALGORITHM-SEED/    a run
  runs.csv           of each run its hypervolumes, evaluations and seconds
  fronts.png         what each algorithm found

A protocol that was stopped, however that was, goes on where it was when it is carried out again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from netstitch.analysis import Front, Split
from netstitch.analysis.front_figure import fronts_figure
from netstitch.analysis.hypervolume import hypervolume_of
from netstitch.analysis.significance import AgainstBest, compare_with_best
from netstitch.errors import StorageError
from netstitch.events import Listener, Message, StageBegan
from netstitch.experiments import RunSettings
from netstitch.files.documents import WORST, Document, read_as
from netstitch.files.folders import cannot_write, check_new, write_json, write_text
from netstitch.optimization.search_state import as_plain
from netstitch.records import Outcome, read_document
from netstitch.records.front_check import load_front
from netstitch.records.run_folder import RUN_FILE, differing
from netstitch.runs.run import branch_run, finish_preparing, prepare_run, resume
from netstitch.tasks import Task

EACH_RUN = ("seed", "search.algorithm", "search.population", "search.settings")
"""What the runs of a protocol differ in."""
PREPARED, FORMAT, DOCUMENT = "prepared", "netstitch-protocol-2", "protocol.json"
SWEEP = "sweep"

SettingsFor = Callable[[str, int | str, int], RunSettings]
"""The settings of a run of an algorithm with a population size, or "sweep", and a seed."""


@dataclass(frozen=True)
class Protocol:
    """The runs that a protocol consists of.

    Attributes:
        populations: Of each algorithm; None where a sweep is to find it.
        seeds: Of the runs; a sweep has the first.
        accuracy: Hypervolumes count from it, and fronts are drawn from it.
    """

    populations: Mapping[str, int | None]
    seeds: tuple[int, ...]
    accuracy: float = 0.0


@dataclass(frozen=True)
class Run:
    """One run of a protocol.

    Attributes:
        algorithm: By name.
        population: Its size.
        seed: Of the search.
        validation: Hypervolume of its front on these samples, normalised by the ensemble's
            multiply-adds, over the protocol's accuracy.
        test: As validation.
        networks: Of its front.
        evaluations: Distinct ones.
        skipped: Proposals that were known.
        seconds: Of the search.
    """

    algorithm: str
    population: int
    seed: int
    validation: float
    test: float | None
    networks: int
    evaluations: int
    skipped: int
    seconds: float


class ProtocolDocument(Document):
    """protocol.json: a protocol, and what each of its runs is asked."""

    protocol: dict[str, Any]
    config: dict[str, Any]


@dataclass(frozen=True)
class Concluded:
    """All runs of a protocol, and how the algorithms compare by validation hypervolume."""

    folder: Path
    runs: tuple[Run, ...]
    compared: tuple[AgainstBest, ...]


def carry_out_protocol(
    protocol: Protocol,
    settings_for: SettingsFor,
    models: Callable[[], Sequence[tuple[str, nn.Module]]],
    task: Task,
    folder: Path,
    listener: Listener,
    *,
    name: str,
) -> Concluded:
    """Carry out a protocol in a folder, or what is left of it.

    Ctrl-C ends it with KeyboardInterrupt, and all that there is is kept.

    Args:
        protocol: The runs.
        settings_for: The settings of each.
        models: Gives the networks, where they are not captured yet.
        task: What they do.
        folder: A new one, or that of the protocol.
        listener: Told what happens.
        name: What figures are called.

    Raises:
        StorageError: The folder is of another protocol.
        NetstitchError: Of a run.
    """
    first, prepared = protocol.seeds[0], folder / PREPARED
    algorithm, population = next(iter(protocol.populations.items()))
    settings = settings_for(algorithm, population or SWEEP, first)
    _claim(folder, protocol, settings)
    _prepare(settings, models, task, prepared, listener)
    sizes: dict[str, int] = {}
    for algorithm, population in protocol.populations.items():
        if population is None:
            listener(StageBegan(f"{algorithm}: population sizes"))
            place = folder / f"{algorithm}-{SWEEP}"
            _run(settings_for(algorithm, SWEEP, first), task, prepared, place, listener)
            population = _best_size(place)
            listener(Message(f"{algorithm} does best with a population of {population:,}"))
        sizes[algorithm] = population
    runs, fronts = [], dict[str, list[Front]]()
    for algorithm, population in sizes.items():
        for seed in protocol.seeds:
            listener(StageBegan(f"{algorithm}, population {population:,}, seed {seed}"))
            place = folder / f"{algorithm}-{seed}"
            _run(settings_for(algorithm, population, seed), task, prepared, place, listener)
            front = load_front(place)
            fronts.setdefault(algorithm, []).append(front)
            runs.append(_of_run(algorithm, population, seed, place, front, protocol.accuracy))
    write_text(folder / "runs.csv", _table(runs))
    fronts_figure(fronts, folder / "fronts.png", title=name, floor=protocol.accuracy or "tight")
    volumes = {name: [r.validation for r in runs if r.algorithm == name] for name in sizes}
    return Concluded(folder, tuple(runs), tuple(compare_with_best(volumes)))


def _claim(folder: Path, protocol: Protocol, settings: RunSettings) -> None:
    """Note what the folder is for, or see that it is for this."""
    config = settings.config
    document = {"format": FORMAT, "protocol": as_plain(asdict(protocol)), "config": config}
    path = folder / DOCUMENT
    if path.exists():
        before = read_as(path, FORMAT, ProtocolDocument)
        for was, now, left_out in (
            (before.protocol, document["protocol"], ()),
            (before.config, config, EACH_RUN),
        ):
            key = differing(was, now, left_out)
            if key is not None:
                raise StorageError(
                    f"{folder} is of a protocol that asked for something else: {key} is not as it "
                    "was; give another folder, or what it began with"
                )
        return
    check_new(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    write_json(path, document)


def _prepare(
    settings: RunSettings,
    models: Callable[[], Sequence[tuple[str, nn.Module]]],
    task: Task,
    folder: Path,
    listener: Listener,
) -> None:
    if (folder / RUN_FILE).exists():
        finish_preparing(settings, task, folder, listener)
    else:
        prepare_run(settings, models(), task, folder, listener)


def _run(
    settings: RunSettings, task: Task, prepared: Path, folder: Path, listener: Listener
) -> None:
    """Carry a run out to its end, from where it is."""
    if not (folder / RUN_FILE).exists():
        branch_run(prepared, settings, folder)
    if not read_document(folder).done:
        finished = resume(settings, task, folder, listener)
        if finished.result.stopped == "interrupted":
            raise KeyboardInterrupt


def _best_size(folder: Path) -> int:
    """Return the population size whose run has the most hypervolume, the first of equal ones."""
    swept = _outcome(folder).sweep
    if not swept:
        raise StorageError(f"{folder / RUN_FILE} is damaged: it tells of no sweep; {WORST}")
    return max(swept, key=lambda one: one.hypervolume).population


def _outcome(folder: Path) -> Outcome:
    outcome = read_document(folder).outcome
    assert outcome is not None
    return outcome


def _of_run(
    algorithm: str, population: int, seed: int, folder: Path, front: Front, accuracy: float
) -> Run:
    outcome = _outcome(folder)

    def volume(part: Split) -> float | None:
        return hypervolume_of(
            front.points, part, ensemble=front.ensemble_cost, accuracy_floor=accuracy
        )

    return Run(
        algorithm,
        population,
        seed,
        volume("validation") or 0.0,
        volume("test"),
        len(front),
        outcome.evaluations,
        outcome.skipped,
        round(outcome.search_seconds, 1),
    )


def _table(runs: Sequence[Run]) -> str:
    rows = [asdict(run) for run in runs]
    lines = [",".join(rows[0])]
    lines += [",".join("" if v is None else str(v) for v in row.values()) for row in rows]
    return "\n".join(lines) + "\n"

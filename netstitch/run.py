"""A run: from models and a task to a folder with a supernet, a front, and every evaluation.

    RUN/
      run.json              what was asked (all defaults filled in), versions, times, outcome
      supernet/             networks, matching, stitches, fit report: `ns.load(RUN)` reads it
      evaluations.sqlite    every evaluation, written as it completed
      refining.safetensors  how far refining is, while it goes on
      search.csv            how much was skipped, and how many stitches were in use, over time
      front.json, .csv, .png

Nothing is written before the stitches are fitted, so bad input leaves nothing. A run that is killed
during its search leaves all but the outcome and the front; one that is killed, or ends with Ctrl-C,
while it refines leaves the supernet as it was fitted, and `refining.safetensors`. From Python:

    plan, task = to_plan(experiment), load_task(experiment)     # as `netstitch run` makes them
    s, x = ns.load(RUN), task.training.shuffled(plan.seed)      # the run's order of the images
    batches = zip(x.inputs.split(plan.fit_batch), x.labels.split(plan.fit_batch))
    s.refine(batches, checkpoint=RUN / "refining.safetensors", **plan.refine)

goes on, and ends as the run would have; `s.save` and `ns.search` come next.
"""

import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from netstitch.analysis import Front, FrontPoint, front_figure
from netstitch.errors import DataError, SearchError, StorageError
from netstitch.evaluation import Form, Store, usable_device
from netstitch.exporting import Exported, export
from netstitch.fitting import check_refining
from netstitch.folders import cannot_write, check_new, read_json, write_json, write_text
from netstitch.matching.objectives import COUNT, DISTINCT, check_choices
from netstitch.optimization import Budget, SearchResult
from netstitch.optimization.algorithms import check_algorithm, check_settings
from netstitch.optimization.history import history_table
from netstitch.optimization.search import check_population
from netstitch.preparing import capture_all, match_all
from netstitch.refining import REFINING, refine_and_save
from netstitch.reporter import Reporter
from netstitch.searching import INITIAL_STITCHES, Searched
from netstitch.searching import run as run_search
from netstitch.stitching import Averaging
from netstitch.supernet import Supernet
from netstitch.sweeping import Swept, sizes_within
from netstitch.tasks import Samples, Task
from netstitch.threads import available_cores
from netstitch.version import VERSION

FORMAT = "netstitch-run-1"
RUN_FILE, FRONT_FILE, SUPERNET = "run.json", "front.json", "supernet"
HISTORY_FILE = "search.csv"
EVALUATIONS = "evaluations.sqlite"
STATISTICS_BATCH = 128
POINTS, OBJECTIVE = DISTINCT, COUNT
"""What is matched, and what is maximised, unless a plan says otherwise."""


@dataclass(frozen=True)
class Plan:
    """What a run does; `asked` is the same as plain data, to be kept in the run folder.

    points, matching_objective: which points are matched, and what is maximised; see `match`.
    fit, refine: settings of `Supernet.fit` and `Supernet.refine`; without the latter, stitches stay
        as they were fitted. fit_batch: samples of a batch in which fit and refine read them.
    population: slots of the search; "sweep" for a search of each of the paper's sizes.
    settings: of the algorithm, by name. patience: proposals in a row without a new subnetwork that
        end the search; None for the default of `run_search`.
    seed: of the search, and of the order in which training samples are read, so that the first
        ones stand for all. Those of fit and refine are among their settings.
    device: where subnetworks are evaluated. workers: batches run side by side, 0 for one a core.
    recalibrate: training samples, the first in that order, that the batch norms behind each
        subnetwork's stitches take their statistics from; 0 to keep those of the basis networks.

    Raises SearchError when the search is not possible, and MatchingError when the matching is not
    known, so that it is known before the work.
    """

    name: str
    fit: Mapping[str, Any] = field(default_factory=lambda: {"method": "least-squares"})
    fit_batch: int = 64
    refine: Mapping[str, Any] | None = field(default_factory=dict)
    points: str = POINTS
    matching_objective: str = OBJECTIVE
    algorithm: str = "ga"
    budget: Budget = field(default_factory=lambda: Budget(20_000))
    population: int | Literal["sweep"] = 64
    settings: Mapping[str, Any] = field(default_factory=dict)
    patience: int | None = None
    seed: int = 1
    threshold: float | None = None
    initial_stitches: float = INITIAL_STITCHES
    device: str = "cpu"
    workers: int = 0
    recalibrate: int = 0
    asked: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choices(self.points, self.matching_objective)
        check_algorithm(self.algorithm)
        check_settings(self.algorithm, self.settings)
        if self.seed < 0:
            raise SearchError(f"the seed is {self.seed}: give 0 or more")
        if self.population == "sweep":
            sizes_within(self.budget)
        else:
            check_population(self.population, self.budget)
        if self.workers < 0:
            raise SearchError(f"{self.workers} workers cannot evaluate: give 1 or more, or 0")
        usable_device(self.device)


@dataclass(frozen=True)
class Finished:
    """What a run made."""

    folder: Path
    supernet: Supernet
    front: Front
    result: SearchResult
    form: Form
    sweep: tuple[Swept, ...]


def carry_out(
    plan: Plan,
    models: Sequence[tuple[str, nn.Module]],
    task: Task,
    folder: Path,
    reporter: Reporter,
) -> Finished:
    """Run the whole way from models to a front, writing into a new folder.

    task: with training samples, which stitches are fitted on.

    Ctrl-C while stitches are refined leaves them as they were fitted, and how far refining got.
    During the search it ends this with the front found so far, and everything is written; a second
    one, while the front is measured on test samples, leaves these out.

    Raises the errors of the steps; except where the disk is full during the search, which leaves
    the evaluations, nothing is written then.
    """
    if task.training is None:
        raise DataError(
            "the task has no training samples; give some to fit the stitches on, other ones than "
            "those that the search sees"
        )
    check_new(folder)
    _check_writable(folder)
    training = task.training.shuffled(plan.seed)
    seconds: dict[str, float] = {}
    with _timed(seconds, "capture"):
        networks = capture_all(models, task, reporter)
    with _timed(seconds, "match"):
        matching = match_all(
            networks,
            reporter,
            points=plan.points,
            objective=plan.matching_objective,
            training=training,
        )
    supernet = Supernet(networks, matching, averaging=Averaging(task.ensemble))
    if plan.refine is not None:
        known = {name: plan.refine[name] for name in ("loss", "teacher") if name in plan.refine}
        check_refining(supernet, **known)
    with _timed(seconds, "fit"):
        _fit(supernet, training, plan, reporter)
    check_new(folder)  # again: another run may have taken it meanwhile
    existed = folder.is_dir()
    with _undone_by(BaseException, folder, existed):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / RUN_FILE, _document(plan, supernet, seconds))
        supernet.save(folder / SUPERNET)
    # What was fitted and refined so far may have taken hours: Ctrl-C leaves it.
    with _undone_by(Exception, folder, existed):
        if plan.refine is not None:
            with _timed(seconds, "refine"):
                reporter.stage("refine")
                refine_and_save(
                    supernet,
                    training,
                    plan.refine,
                    run=folder,
                    folder=folder / SUPERNET,
                    seed=plan.seed,
                    batch=plan.fit_batch,
                    told=reporter.told,
                    progress=reporter.progress,
                )
            write_json(folder / RUN_FILE, _document(plan, supernet, seconds))
        store = Store(folder / EVALUATIONS)
    # A search that found nothing leaves nothing; one that was stopped leaves what it evaluated.
    with _undone_by(SearchError, folder, existed), store, _timed(seconds, "search and test"):
        searched = _search(plan, supernet, task, training, store, reporter)
    front, result = searched.front, searched.result
    front.to_json(folder / FRONT_FILE)
    front.to_csv(folder / "front.csv")
    write_text(folder / HISTORY_FILE, history_table(result.history))
    front_figure(front, folder / "front.png", title=plan.name, floor="tight")
    outcome = {
        "stopped": result.stopped,
        "evaluations": result.evaluated,
        "skipped": result.skipped,
        "failed": result.failed,
        "search_seconds": result.elapsed,
        "idle": round(result.idle, 4),
        "sweep": [asdict(one) for one in searched.sweep],
        "form": asdict(searched.form) | {"device": plan.device},
    }
    write_json(folder / RUN_FILE, _document(plan, supernet, seconds) | {"outcome": outcome})
    return Finished(folder, supernet, front, result, searched.form, searched.sweep)


def _search(
    plan: Plan,
    supernet: Supernet,
    task: Task,
    training: Samples,
    store: Store,
    reporter: Reporter,
) -> Searched:
    reporter.stage("search")
    statistics = training.first(plan.recalibrate) if plan.recalibrate else None
    return run_search(
        supernet,
        task,
        algorithm=plan.algorithm,
        budget=plan.budget,
        population=plan.population,
        settings=plan.settings,
        patience=plan.patience,
        seed=plan.seed,
        threshold=plan.threshold,
        initial_stitches=plan.initial_stitches,
        workers=plan.workers or None,
        device=plan.device,
        recalibration=None if statistics is None else statistics.batches(STATISTICS_BATCH),
        store=store,
        on_progress=lambda progress: reporter.searching(progress, plan.budget),
        on_measure=reporter.stage,
    )


def _fit(supernet: Supernet, training: Samples, plan: Plan, reporter: Reporter) -> None:
    reporter.stage("fit")
    report = supernet.fit(
        training.batches(plan.fit_batch), progress=reporter.progress, **dict(plan.fit)
    )
    errors = sorted(row.relative_error for row in report.rows if row.relative_error is not None)
    middle = errors[len(errors) // 2] if errors else float("nan")
    reporter.told(
        f"{len(report.rows)} stitches on {report.samples:,} samples, "
        f"median held-out error {middle:.2f}"
    )


def export_point(
    supernet: Supernet, point: FrontPoint, folder: Path, reporter: Reporter, **settings: Any
) -> Exported:
    """Export a network of a front with its accuracies; settings are those of `export`."""
    reporter.stage("export")
    card = {"label": point.label, "validation": point.validation, "test": point.test}
    return export(
        supernet, point.genotype, folder, card=card, progress=reporter.progress, **settings
    )


def load_front(run: Path) -> Front:
    """The front of a run folder; raises StorageError when it is not one, or has no front yet."""
    read_json(run / RUN_FILE, FORMAT)
    return Front.from_json(run / FRONT_FILE)


def _check_writable(folder: Path) -> None:
    """Raise StorageError where the folder could not be made, before hours are spent on it."""
    place = Path(os.path.abspath(folder))
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise StorageError(f"{folder} cannot be made: {place} is a file; give another folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise StorageError(f"{folder} cannot be made: {place} is not writable; give another folder")


@contextmanager
def _undone_by(kind: type[BaseException], folder: Path, existed: bool) -> Iterator[None]:
    """On an exception of a kind, what a run writes goes again; OSErrors become one line."""
    try:
        yield
    except kind as error:
        if folder.is_dir():
            for path in folder.iterdir():
                if path.name.startswith((RUN_FILE, SUPERNET, EVALUATIONS, REFINING)):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            if not existed and not any(folder.iterdir()):
                folder.rmdir()
        if isinstance(error, OSError):
            raise cannot_write(folder, error) from error
        raise


def _document(plan: Plan, supernet: Supernet, seconds: Mapping[str, float]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": plan.name,
        "asked": dict(plan.asked),
        "networks": list(supernet.names),
        "matches": len(supernet.matching),
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "netstitch": VERSION,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "cores": available_cores(),
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
    }


@contextmanager
def _timed(
    seconds: dict[str, float], name: str, clock: Callable[[], float] = time.perf_counter
) -> Iterator[None]:
    started = clock()
    yield
    seconds[name] = clock() - started

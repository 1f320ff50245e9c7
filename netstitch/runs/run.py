"""A run: from models and a task to a folder with a supernet, a front, and every evaluation.

What is in the folder is told in `run_folder.py`. Nothing is written before the stitches are fitted,
so bad input leaves nothing. From then on a run that ends before it is done, by Ctrl-C, a kill or a
power failure, goes on with `resume` where it was, refining, searching, or measuring the front.
"""

import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import nn

from netstitch.analysis import Front, front_figure
from netstitch.errors import DataError, StorageError
from netstitch.evaluation import NumericsConfig, Store
from netstitch.evaluation.workers import prepare
from netstitch.events import (
    Event,
    FolderOpened,
    Listener,
    Message,
    StageBegan,
    advancing,
    ignore,
    together,
)
from netstitch.files.folders import copy_linked, write_text
from netstitch.fitting import RefineSettings, check_refining, make_settings
from netstitch.optimization import SearchResult
from netstitch.optimization.history import history_table
from netstitch.optimization.search_state import as_plain
from netstitch.records import (
    Outcome,
    RunDocument,
    check_folder,
    check_samples,
    check_unchanged,
    is_refined,
    network_digests,
    read_document,
    sample_digests,
    stitches_digest,
    update_document,
    versions,
    write_document,
)
from netstitch.records.digests import digests_of
from netstitch.records.run_folder import (
    EVALUATIONS,
    FRONT_FILE,
    HISTORY_FILE,
    PROGRESS_FILE,
    STITCHES,
    SUPERNET,
    check_asked_again,
    check_place,
    locked,
    taken,
)
from netstitch.records.trust import SIGNATURE, signed
from netstitch.records.unchanged import (
    FILES,
    RESULT_FILES,
    SUPERNET_FILES,
    forget_files,
    note_files,
)
from netstitch.runs.preparing import capture_all, match_all
from netstitch.runs.recorded_run import STATISTICS_BATCH
from netstitch.runs.refining_step import refine_and_save
from netstitch.runs.run_plan import RunPlan
from netstitch.searching.reference_doubts import doubts
from netstitch.searching.search_progress import SearchMeasured, write_progress
from netstitch.searching.search_recorder import SearchRecorder, remove_states
from netstitch.searching.supernet_search import Searched, measured_form, scored_by
from netstitch.searching.supernet_search import run as run_search
from netstitch.searching.sweep import Swept
from netstitch.stitching import Averaging
from netstitch.supernet.stitch_table import stitch_table
from netstitch.supernet.storage import load_supernet
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task
from netstitch.threads import available_cores


@dataclass(frozen=True)
class Finished:
    """What a run made."""

    folder: Path
    supernet: Supernet
    front: Front
    result: SearchResult
    form: NumericsConfig
    sweep: tuple[Swept, ...]


def carry_out(
    plan: RunPlan,
    models: Sequence[tuple[str, nn.Module]],
    task: Task,
    folder: Path,
    listener: Listener = ignore,
) -> Finished:
    """Run the whole way from models to a front, writing into a new folder.

    task: with training samples, which stitches are fitted on. listener: told what
    happens, such as a `RunLog`, which keeps run.log and the warnings in run.json, or a
    `TensorBoard`.

    Ctrl-C while stitches are refined leaves them as they were fitted, and how far refining got.
    During the search it ends this with the front found so far, and everything is written; a second
    one, while the front is measured on test samples, leaves these out. `resume` goes on in any
    case.

    Raises the errors of the steps. Before stitches are fitted they leave nothing, and from then on
    all that there was, for `resume`.
    """
    training = _training(plan, task)
    check_place(folder)
    prepare(plan.spread)
    with taken(folder):
        supernet = _prepare_folder(plan, models, task, training, folder, listener)
        _begin_search(plan, supernet, task, folder)
        return _search_and_measure(plan, supernet, task, training, folder, listener)


def prepare_run(
    plan: RunPlan,
    models: Sequence[tuple[str, nn.Module]],
    task: Task,
    folder: Path,
    listener: Listener,
) -> None:
    """The part of `carry_out` before its search, which `branch_run` and `resume` go on from."""
    training = _training(plan, task)
    check_place(folder)
    with taken(folder):
        _prepare_folder(plan, models, task, training, folder, listener)


def finish_preparing(plan: RunPlan, task: Task, folder: Path, listener: Listener) -> None:
    """What is left of `prepare_run` where that was stopped: to refine.

    Raises StorageError as `resume` does.
    """
    check_resumable(folder)
    with locked(folder):
        listener(FolderOpened(folder))
        if not is_refined(folder, check_folder(folder, SUPERNET_FILES)):
            _refine(plan, load_supernet(folder / SUPERNET), _training(plan, task), folder, listener)


def branch_run(prepared: Path, plan: RunPlan, folder: Path) -> None:
    """Make a new run of a plan that has the supernet of a prepared one, for `resume`.

    The files of the supernet are the same on disk, where that is possible.
    """
    check_place(folder)
    document = read_document(prepared)
    with taken(folder):
        copy_linked(prepared / SUPERNET, folder / SUPERNET)
        write_text(folder / STITCHES, (prepared / STITCHES).read_text())
        asked = as_plain(plan.asked)
        changes = {"name": plan.name, "asked": asked, "signature": signed(asked)}
        write_document(folder, document.model_copy(update=changes))


def _prepare_folder(
    plan: RunPlan,
    models: Sequence[tuple[str, nn.Module]],
    task: Task,
    training: Samples,
    folder: Path,
    listener: Listener,
) -> Supernet:
    """The supernet, fitted and refined, in the run's folder."""
    seconds: dict[str, float] = {}
    supernet = _prepared(plan, models, task, training, listener, seconds)
    supernet.save(folder / SUPERNET)
    write_text(folder / STITCHES, stitch_table(supernet))
    document = _document(plan, supernet, task, folder, seconds, signed(plan.asked, listener))
    # From here on there is something to go on with, whatever ends this.
    write_document(folder, document)
    listener(FolderOpened(folder))
    _refine(plan, supernet, training, folder, listener)
    return supernet


def _prepared(
    plan: RunPlan,
    models: Sequence[tuple[str, nn.Module]],
    task: Task,
    training: Samples,
    listener: Listener,
    seconds: dict[str, float],
) -> Supernet:
    """The supernet with its stitches fitted, and the seconds that each step took."""
    with _timed(seconds, "capture"):
        networks = capture_all(models, task, listener)
    for network in networks:
        network.to(plan.spread.here)
    with _timed(seconds, "match"):
        matching = match_all(
            networks, listener, points=plan.points, objective=plan.matching_objective
        )
    supernet = Supernet(networks, matching, averaging=Averaging(task.ensemble))
    scored_by(plan.objective, supernet, task)  # what cannot be scored is known before the work
    if plan.refine is not None:
        check_refining(supernet, make_settings(RefineSettings, "refine", plan.refine))
    for line in doubts(supernet, task):
        listener(Message(line, warning=True))
    with _timed(seconds, "fit"):
        _fit(supernet, training, plan, listener)
    return supernet.to("cpu")


def check_resumable(folder: Path) -> RunDocument:
    """Return the document of a run that can go on.

    Raises StorageError where the folder is not one of a run, or of another version, and where the
    run is done.
    """
    document = read_document(folder)
    if document.done:
        raise StorageError(
            f"the run in {folder} is done, its search ended by {document.stopped}: there is "
            "nothing to go on with; for another search give another folder"
        )
    check_unchanged(folder, document, {"versions": versions()})
    return document


def resume(
    plan: RunPlan,
    task: Task,
    folder: Path,
    listener: Listener = ignore,
    *,
    sign: bool = False,
) -> Finished:
    """Go on with a run that was stopped, however that was, from where it is.

    plan, task: as the run began with, though evaluations may be spread another way. listener: as of
    `carry_out`. sign: whether the Python that the run names is this user's from now on. What was
    evaluated is not evaluated again, budgets count on from where they were, and a serial search
    ends as it would have.

    Raises StorageError where another process runs it, it is done, or its inputs changed.
    """
    check_resumable(folder)
    training = _training(plan, task)
    prepare(plan.spread)
    with locked(folder):
        document = check_folder(folder, SUPERNET_FILES)
        check_asked_again(folder, document.asked, as_plain(plan.asked))
        supernet = load_supernet(folder / SUPERNET)
        check_samples(folder, document, task)
        listener(FolderOpened(folder))
        if document.form is None:
            if not is_refined(folder, document):
                _refine(plan, supernet, training, folder, listener)
            _begin_search(plan, supernet, task, folder)
        elif plan.spread.early != document.early:
            raise StorageError(
                f"{folder} began with early = {document.early!r}, which is now "
                f"{plan.spread.early!r}, and samples would come in another order; go on with the "
                "former, or run anew"
            )
        elif plan.objective != document.objective:
            raise StorageError(
                f"{folder} began with the objective {document.objective!r}, which is now "
                f"{plan.objective!r}; go on with the former, or run anew"
            )
        if sign:
            signature = signed(document.asked, listener)
            if signature is not None:
                update_document(folder, {SIGNATURE: signature})
        return _search_and_measure(plan, supernet, task, training, folder, listener)


def _training(plan: RunPlan, task: Task) -> Samples:
    """The training samples in the run's order."""
    if task.training is None:
        raise DataError(
            "the task has no training samples; give some to fit the stitches on, other ones than "
            "those that the search sees"
        )
    return task.training.shuffled(plan.seed)


def _refine(
    plan: RunPlan, supernet: Supernet, training: Samples, folder: Path, listener: Listener
) -> None:
    if plan.refine is None:
        return
    with _adding(folder, "refine"):
        listener(StageBegan("refine"))
        supernet.to(plan.spread.here)
        refine_and_save(
            supernet,
            training,
            plan.refine,
            run=folder,
            folder=folder / SUPERNET,
            batch=plan.fit_batch,
            listener=listener,
        )
        supernet.to("cpu")
        note_files(folder)


def _begin_search(plan: RunPlan, supernet: Supernet, task: Task, folder: Path) -> None:
    """Fix what evaluations depend on, the stitches and the numerical form, and where they go."""
    form = measured_form(supernet, task, plan.spread)
    # One that is there was being made when the process was killed: nothing is evaluated yet.
    for path in folder.glob(f"{EVALUATIONS}*"):
        path.unlink()
    Store(folder / EVALUATIONS).close()
    begun = {
        "form": asdict(form),
        "stitches": stitches_digest(folder),
        "early": plan.spread.early,
        "objective": plan.objective,
    }
    note_files(folder, (*SUPERNET_FILES, STITCHES), begun)


def _search_and_measure(
    plan: RunPlan,
    supernet: Supernet,
    task: Task,
    training: Samples,
    folder: Path,
    listener: Listener,
) -> Finished:
    with (
        Store(folder / EVALUATIONS, create=False) as store,
        _adding(folder, "search and test"),
    ):
        record = SearchRecorder(folder, store)
        searched = _search(plan, supernet, task, training, record, folder, listener)
    front, result = searched.front, searched.result
    if searched.difference:
        text = (
            f"accuracies of the front differ by up to {searched.difference:.4f} from those that "
            "the search saw, which had rounding of another form"
        )
        listener(Message(text))
    forget_files(folder)
    front.to_json(folder / FRONT_FILE)
    front.to_csv(folder / "front.csv")
    write_text(folder / HISTORY_FILE, history_table(result.history))
    front_figure(front, folder / "front.png", title=plan.name, floor="tight")
    outcome = Outcome(
        stopped=result.stopped,
        evaluations=result.evaluated,
        skipped=result.skipped,
        failed=result.failed,
        ended_early=result.stopped_early,
        search_seconds=result.elapsed,
        idle=round(result.idle, 4),
        accuracy_difference=searched.difference,
        sweep=searched.sweep,
        form=asdict(searched.form),
        spread=asdict(plan.spread) | {"workers": plan.spread.processes},
    )
    # Together: a front beside which the run is done is held against its digest.
    note_files(folder, RESULT_FILES, {"outcome": outcome.model_dump()})
    if result.stopped != "interrupted":
        remove_states(folder)
        (folder / PROGRESS_FILE).unlink(missing_ok=True)
    return Finished(folder, supernet, front, result, searched.form, searched.sweep)


def _search(
    plan: RunPlan,
    supernet: Supernet,
    task: Task,
    training: Samples,
    record: SearchRecorder,
    folder: Path,
    listener: Listener,
) -> Searched:
    def keep(event: Event) -> None:
        if isinstance(event, SearchMeasured):
            write_progress(folder / PROGRESS_FILE, event.progress)

    listener(StageBegan("search"))
    form = read_document(folder).form
    assert form is not None
    statistics = training.first(plan.recalibrate) if plan.recalibrate else None
    return run_search(
        supernet,
        task,
        objective=plan.objective,
        algorithm=plan.algorithm,
        budget=plan.budget,
        population=plan.population,
        settings=plan.settings,
        patience=plan.patience,
        seed=plan.seed,
        threshold=plan.threshold,
        initial_stitches=plan.initial_stitches,
        floor=plan.floor,
        form=form,
        spread=plan.spread,
        recalibration=None if statistics is None else statistics.batches(STATISTICS_BATCH),
        record=record,
        listener=together(keep, listener),
    )


def _fit(supernet: Supernet, training: Samples, plan: RunPlan, listener: Listener) -> None:
    listener(StageBegan("fit"))
    report = supernet.fit(
        training.batches(plan.fit_batch), progress=advancing(listener), **dict(plan.fit)
    )
    errors = sorted(row.relative_error for row in report.rows if row.relative_error is not None)
    middle = errors[len(errors) // 2] if errors else float("nan")
    stitches, samples = len(report.rows), report.samples
    listener(
        Message(f"{stitches} stitches on {samples:,} samples, median held-out error {middle:.2f}")
    )


def _document(
    plan: RunPlan,
    supernet: Supernet,
    task: Task,
    folder: Path,
    seconds: Mapping[str, float],
    signature: Mapping[str, Any] | None,
) -> RunDocument:
    return RunDocument(
        name=plan.name,
        asked=dict(plan.asked),
        matches=len(supernet.matching),
        written=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        python=platform.python_version(),
        cores=available_cores(),
        networks=network_digests(folder, supernet.names),
        fitted=stitches_digest(folder),
        samples=sample_digests(task),
        files=digests_of(folder, FILES),
        seconds={name: round(value, 2) for name, value in seconds.items()},
        signature=signature,
    )


@contextmanager
def _adding(folder: Path, name: str) -> Iterator[None]:
    """Time a step, and add it to what run.json says of it so far."""
    seconds: dict[str, float] = {}
    with _timed(seconds, name):
        yield
    before = read_document(folder).seconds
    spent = round(before.get(name, 0.0) + seconds[name], 2)
    update_document(folder, {"seconds": before | {name: spent}})


@contextmanager
def _timed(
    seconds: dict[str, float], name: str, clock: Callable[[], float] = time.perf_counter
) -> Iterator[None]:
    started = clock()
    yield
    seconds[name] = clock() - started

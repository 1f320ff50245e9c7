"""The last steps of a run: the search, and measuring the front that it found."""

from dataclasses import asdict

from netstitch.analysis import Front
from netstitch.costs import find_cost
from netstitch.evaluation import Store
from netstitch.events import Message, StageBegan
from netstitch.files.folders import write_text
from netstitch.optimization import Stopped
from netstitch.optimization.search_result import history_table
from netstitch.records import Outcome, read_document
from netstitch.records.run_document import CascadesOutcome
from netstitch.records.run_folder import (
    EVALUATIONS,
    HISTORY_FILE,
    STITCHES,
)
from netstitch.records.unchanged import (
    RESULT_FILES,
    SUPERNET_FILES,
    forget_files,
    note_files,
    stitches_digest,
)
from netstitch.runs.finished import write_front
from netstitch.runs.preparing import RunInputs, adding_time, has_cascades
from netstitch.runs.recorded_run import STATISTICS_BATCH
from netstitch.searching.search_recorder import SearchRecorder, remove_states
from netstitch.searching.supernet_search import measured_form
from netstitch.searching.supernet_search import run as run_search
from netstitch.supernet.supernet import Supernet
from netstitch.tasks.cross_entropy import score_name


def begin_search(inputs: RunInputs, supernet: Supernet) -> None:
    """Fix what evaluations depend on, the stitches and the numerical form, and where they go."""
    settings, folder = inputs.settings, inputs.folder
    form = measured_form(supernet, inputs.task, settings.evaluation)
    # One that is there was being made when the process was killed: nothing is evaluated yet.
    for path in folder.glob(f"{EVALUATIONS}*"):
        path.unlink()
    Store(folder / EVALUATIONS, _objectives(inputs)).close()
    begun = {
        "form": asdict(form),
        "stitches": stitches_digest(folder),
        "early": settings.evaluation.early,
        "objective": settings.search.objective,
        "cost": find_cost(settings.search.cost).name,
    }
    note_files(folder, (*SUPERNET_FILES, STITCHES), begun)


def _objectives(inputs: RunInputs) -> tuple[str, str]:
    """Return the names of the score and the cost of each evaluation."""
    search = inputs.settings.search
    return score_name(search.objective), find_cost(search.cost).name


def search_and_measure(inputs: RunInputs, supernet: Supernet) -> Front:
    """Search, or go on with the search, and write the front of networks and what came of it."""
    settings, folder, listener = inputs.settings, inputs.folder, inputs.listener
    form = read_document(folder).form
    assert form is not None
    count = settings.evaluation.recalibrate
    statistics = inputs.training.first(count).batches(STATISTICS_BATCH) if count else None
    with (
        Store(folder / EVALUATIONS, _objectives(inputs), create=False) as store,
        adding_time(folder, "search and test"),
    ):
        record = SearchRecorder(folder, store, settings.search.objectives)
        listener(StageBegan("search"))
        searched = run_search(
            supernet,
            inputs.task,
            settings.search,
            seed=settings.seed,
            floor=settings.protocol.accuracy,
            form=form,
            spread=settings.evaluation,
            recalibration=statistics,
            record=record,
            listener=listener,
        )
    front, result = searched.front, searched.result
    if searched.difference:
        text = (
            f"accuracies of the front differ by up to {searched.difference:.4f} from those that "
            "the search saw, since it ran in another numerical form"
        )
        listener(Message(text))
    forget_files(folder)
    write_text(folder / HISTORY_FILE, history_table(result.history))
    write_front(folder, front, settings.name)
    outcome = Outcome(
        stopped=result.stopped,
        evaluations=result.evaluated,
        skipped=result.skipped,
        unchanged=result.unchanged,
        failed=result.failed,
        ended_early=result.stopped_early,
        search_seconds=result.elapsed,
        idle=round(result.idle, 4),
        accuracy_difference=searched.difference,
        sweep=searched.sweep,
        spread=settings.evaluation.model_dump() | {"workers": searched.workers},
        cascades=_cascades_to_come(inputs, result.stopped),
    )
    # Together: a front beside which the run is done is held against its digest.
    note_files(folder, RESULT_FILES, {"outcome": outcome.model_dump()})
    if result.stopped != "interrupted":
        remove_states(folder)
    return front


def _cascades_to_come(inputs: RunInputs, stopped: Stopped) -> CascadesOutcome | None:
    """Return the outcome of cascades that are still to come; None after an interrupted search."""
    if stopped == "interrupted" or not has_cascades(inputs):
        return None
    return CascadesOutcome(found=False, settings=inputs.settings.cascades.model_dump())

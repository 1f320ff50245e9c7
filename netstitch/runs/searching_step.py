"""The last steps of a run: the search, and measuring the front that it found."""

from dataclasses import asdict, dataclass
from pathlib import Path

from netstitch.analysis import Front, front_figure
from netstitch.costs import find_cost
from netstitch.evaluation import NumericsConfig, Store
from netstitch.events import Event, Listener, Message, StageBegan, together
from netstitch.experiments import RunSettings
from netstitch.files.folders import write_text
from netstitch.optimization import SearchResult
from netstitch.optimization.search_result import history_table
from netstitch.records import Outcome, read_document, stitches_digest
from netstitch.records.run_folder import (
    EVALUATIONS,
    FRONT_FILE,
    HISTORY_FILE,
    PROGRESS_FILE,
    STITCHES,
)
from netstitch.records.unchanged import RESULT_FILES, SUPERNET_FILES, forget_files, note_files
from netstitch.runs.preparing import adding_time
from netstitch.runs.recorded_run import STATISTICS_BATCH
from netstitch.searching.search_progress import SearchMeasured, write_progress
from netstitch.searching.search_recorder import SearchRecorder, remove_states
from netstitch.searching.supernet_search import measured_form
from netstitch.searching.supernet_search import run as run_search
from netstitch.searching.sweep import Swept
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task
from netstitch.tasks.cross_entropy import score_name


@dataclass(frozen=True)
class Finished:
    """A finished run; what is not told here is as of `Searched`.

    Attributes:
        folder: Where it is.
        supernet: With the stitches that were searched.
    """

    folder: Path
    supernet: Supernet
    front: Front
    result: SearchResult
    form: NumericsConfig
    sweep: tuple[Swept, ...]


def begin_search(settings: RunSettings, supernet: Supernet, task: Task, folder: Path) -> None:
    """Fix what evaluations depend on, the stitches and the numerical form, and where they go."""
    form = measured_form(supernet, task, settings.evaluation)
    # One that is there was being made when the process was killed: nothing is evaluated yet.
    for path in folder.glob(f"{EVALUATIONS}*"):
        path.unlink()
    Store(folder / EVALUATIONS).close()
    begun = {
        "form": asdict(form),
        "stitches": stitches_digest(folder),
        "early": settings.evaluation.early,
        "objective": settings.search.objective,
    }
    note_files(folder, (*SUPERNET_FILES, STITCHES), begun)


def search_and_measure(
    settings: RunSettings,
    supernet: Supernet,
    task: Task,
    training: Samples,
    folder: Path,
    listener: Listener,
) -> Finished:
    """Search, or go on with the search, and write the front and what came of it."""

    def keep(event: Event) -> None:
        if isinstance(event, SearchMeasured):
            write_progress(folder / PROGRESS_FILE, event.progress)

    form = read_document(folder).form
    assert form is not None
    count = settings.evaluation.recalibrate
    names = score_name(settings.search.objective), find_cost(settings.search.cost).name
    with (
        Store(folder / EVALUATIONS, names, create=False) as store,
        adding_time(folder, "search and test"),
    ):
        record = SearchRecorder(folder, store)
        listener(StageBegan("search"))
        searched = run_search(
            supernet,
            task,
            settings.search,
            seed=settings.seed,
            floor=settings.protocol.accuracy,
            form=form,
            spread=settings.evaluation,
            recalibration=training.first(count).batches(STATISTICS_BATCH) if count else None,
            record=record,
            listener=together(keep, listener),
        )
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
    front_figure(front, folder / "front.png", title=settings.name, floor="tight")
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
        spread=settings.evaluation.model_dump() | {"workers": settings.evaluation.processes},
    )
    # Together: a front beside which the run is done is held against its digest.
    note_files(folder, RESULT_FILES, {"outcome": outcome.model_dump()})
    if result.stopped != "interrupted":
        remove_states(folder)
        (folder / PROGRESS_FILE).unlink(missing_ok=True)
    return Finished(folder, supernet, front, result, searched.form, searched.sweep)

"""The step of a run that fits exits, behind the stitches; a run without cascades has none."""

from netstitch.errors import NetstitchError
from netstitch.events import Message, StageBegan
from netstitch.fitting import ExitReport
from netstitch.records import RunDocument, read_document
from netstitch.records.run_folder import SUPERNET
from netstitch.records.unchanged import EXIT_REPORT, EXITS, forget_files, is_refined, note_files
from netstitch.runs.preparing import RunInputs, adding_time, has_cascades, refine_run
from netstitch.supernet.supernet import Supernet
from netstitch.supernet.supernet_loading import load_supernet
from netstitch.text import command, counted, one_line


def go_on_preparing(inputs: RunInputs, document: RunDocument) -> Supernet:
    """Return the supernet of a run whose stitches are fitted, after what is left before its search.

    That is refining, and fitting exits.
    """
    folder = inputs.folder
    supernet = load_supernet(folder / SUPERNET)
    if not is_refined(folder, document):
        refine_run(inputs, supernet)
    fit_wanted_exits(inputs, supernet)
    return supernet


def fit_wanted_exits(inputs: RunInputs, supernet: Supernet) -> None:
    """Fit the exits of a run that ends with cascades; after Ctrl-C, it is said how to go on."""
    if not has_cascades(inputs):
        return
    try:
        fit_missing_exits(inputs, supernet)
    except KeyboardInterrupt:
        inputs.listener(Message("the stitches are kept; to go on:"))
        inputs.listener(Message(command("resume", inputs.folder)))
        raise


def fit_missing_exits(inputs: RunInputs, supernet: Supernet) -> None:
    """Fit exits on a run's training samples and save them with its supernet, unless that is done.

    It is once they are noted in run.json: what a kill leaves before is written over. Where exits
    cannot be fitted, the listener is warned, and the run goes on without.
    """
    settings, folder, listener = inputs.settings, inputs.folder, inputs.listener
    if EXIT_REPORT in read_document(folder).files:
        return
    listener(StageBegan("exits"))
    with adding_time(folder, "exits"):
        supernet.to(settings.evaluation.here)
        try:
            batches = inputs.training.batches(settings.fit.batch)
            report = supernet.fit_exits(batches, listener=listener, **settings.exits.model_dump())
        except (NetstitchError, RuntimeError) as error:
            listener(Message(f"no exits were fitted: {one_line(error)}", warning=True))
            return
        finally:
            supernet.to("cpu")
        forget_files(folder, EXITS)
        supernet.save_exits(folder / SUPERNET)
        note_files(folder, EXITS)
    listener(Message(_in_words(report)))


def _in_words(report: ExitReport) -> str:
    kept = [row for row in report.rows if row.fate == "kept"]
    best = max((row.agreement for row in kept), default=0.0)
    return (
        f"{counted(len(kept), 'exit')} of {counted(len(report.rows), 'point')} on "
        f"{counted(report.samples, 'sample')}, with the ensemble's class for up to "
        f"{100 * best:.1f} % of held-out ones"
    )

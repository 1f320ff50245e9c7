"""Cascades of a run that has a front, found anew."""

from pathlib import Path

from netstitch.cascades.cascade_arguments import rule_of
from netstitch.errors import StorageError
from netstitch.events import Listener, Message, ignore
from netstitch.experiments import RunSettings
from netstitch.records import RunDocument
from netstitch.records.front_check import check_front
from netstitch.records.run_document import how_on, state_of
from netstitch.records.run_folder import FRONT_FILE, SUPERNET, locked
from netstitch.records.run_record import read_finished, read_front
from netstitch.records.unchanged import SUPERNET_FILES, check_folder, check_samples
from netstitch.runs.cascades_step import search_cascades, write_cascades
from netstitch.runs.exits_step import fit_missing_exits
from netstitch.runs.finished import Finished
from netstitch.runs.preparing import run_inputs
from netstitch.supernet.supernet_loading import load_supernet
from netstitch.tasks import Task
from netstitch.text import counted


def find_run_cascades(
    settings: RunSettings, task: Task, folder: Path, listener: Listener = ignore
) -> Finished:
    """Find the cascades of a run that has a front, from all that it evaluated, and write them.

    Those that it has are replaced, where any are found. Exits are fitted where it has none, as in a
    run that was made without. Ctrl-C leaves its front as it is.

    Args:
        settings: Those of the run, with what its table [cascades] is to say now.
        task: That of the run.
        folder: Of the run.
        listener: Told how far it is.

    Raises:
        StorageError: The run has no front yet, its evaluations are gone, or something changed.
        SearchError: The task has no confidence, or not the one that is asked for; or this machine
            has no such device.
    """
    settings.check()
    read_finished(folder)
    inputs = run_inputs(settings, task, folder, listener)
    with locked(folder):
        document = check_folder(folder, (*SUPERNET_FILES, FRONT_FILE))
        if document.outcome is None:
            raise _unfinished(folder, document)
        check_samples(folder, document, inputs.task)
        front = read_front(folder)
        supernet = load_supernet(folder / SUPERNET)
        check_front(folder, front, supernet.structure)
        rule_of(supernet, inputs.task, settings.cascades)  # before exits are fitted
        fit_missing_exits(inputs, supernet)
        found = search_cascades(inputs, supernet, front)
        if front.cascades and not found.cascades:
            kept = counted(len(front.cascades), "cascade")
            inputs.listener(Message(f"no cascades were found so: the front keeps its {kept}"))
            return Finished(folder, supernet, front, document.outcome)
        return write_cascades(inputs, supernet, found, document.outcome)


def _unfinished(folder: Path, document: RunDocument) -> StorageError:
    return StorageError(
        f"the run in {folder} has no front yet, since it is "
        f"{state_of(folder, document, running=False)}; {how_on(folder, running=False)}"
    )

"""The state of a run in words, and how it goes on."""

from pathlib import Path

from netstitch.errors import StorageError
from netstitch.files.folders import LOCK
from netstitch.records.run_document import RunDocument
from netstitch.records.run_folder import REFINING, RUN_FILE, is_running
from netstitch.text import command


def state_of(run: Path, document: RunDocument, *, running: bool) -> str:
    """Return how far a run is, such as "searching" or "stopped while it searched".

    Args:
        run: Its folder.
        document: Its run.json.
        running: Whether a process holds the folder.
    """
    if document.done:
        return f"done, its search ended by {document.stopped}"
    if document.form is not None:
        return "searching" if running else "stopped while it searched"
    if (run / REFINING).exists() or running:
        return "refining" if running else "stopped while it refined"
    return "stopped before it searched"


def how_on(run: Path, *, running: bool) -> str:
    """Return what to do about a run that is not done, as the rest of a sentence."""
    if running:
        return f"wait until it is done, {command('status', run)} tells how far it is"
    return f"{command('resume', run)} goes on"


def check_begun(run: Path) -> None:
    """Raise StorageError where a folder is of a run that has nothing to show or go on with yet."""
    if (run / RUN_FILE).exists():
        return
    if is_running(run):
        raise StorageError(
            f"{run} is of a run that captures, matches and fits: there is nothing to show yet; "
            f"{how_on(run, running=True)}"
        )
    if (run / LOCK).exists():
        raise StorageError(
            f"{run} is of a run that was stopped before its stitches were fitted, so that there is "
            "nothing to go on with; remove the folder, and run anew"
        )

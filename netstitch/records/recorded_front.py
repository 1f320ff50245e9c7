"""The front of a run, from its folder."""

from pathlib import Path

from netstitch.analysis import Front
from netstitch.analysis.front import front_from_json
from netstitch.errors import StorageError
from netstitch.folders import read_file
from netstitch.records.run_document import read_document
from netstitch.records.run_state import check_begun, how_on, state_of
from netstitch.records.unchanged import SUPERNET_FILES, check_folder
from netstitch.run_folder import FRONT_FILE, is_running
from netstitch.text import one_line


def load_front(run: Path) -> Front:
    """Return the front that a run was measured to have.

    Raises:
        StorageError: The folder is not one of a run, the run is not so far, with how it goes on, or
            what the front relies on changed since.
    """
    check_begun(run)
    document = read_document(run)
    running = is_running(run)
    if not document.done and (running or not (run / FRONT_FILE).exists()):
        raise StorageError(
            f"the run in {run} has no front yet, since it is "
            f"{'still ' if running else ''}{state_of(run, document, running=running)}; "
            f"{how_on(run, running=running)}"
        )
    front = read_front(run)  # one that is damaged is said to be that, and not that it changed
    check_folder(run, (*SUPERNET_FILES, FRONT_FILE))
    return front


def read_front(run: Path) -> Front:
    """Return what the front's file of a run says; raises StorageError where it is damaged."""
    path = run / FRONT_FILE
    try:
        return front_from_json(read_file(path))
    except (OSError, ValueError) as error:
        reason = "it is missing" if isinstance(error, FileNotFoundError) else one_line(error)
        raise StorageError(
            f"{path} holds no front ({reason}); put back a copy of the run folder"
        ) from error

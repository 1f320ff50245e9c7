"""Whether what a run's document tells of is still what it was.

Whatever shows, exports or goes on with a run relies on files that may have been edited, swapped or
cut since. They are compared by digests, which takes as long as reading them.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

from netstitch.errors import StorageError
from netstitch.records.digests import (
    digests_of,
    network_digests,
    sample_digests,
    stitches_digest,
)
from netstitch.records.run_document import RunDocument, read_document, update_document
from netstitch.run_folder import FRONT_FILE, HISTORY_FILE, RUN_FILE, STITCHES, SUPERNET
from netstitch.stitching.saving import FIT_FILE, REFINE_FILE, STITCHES_FILE, SUPERNET_FILE
from netstitch.tasks import Task

SUPERNET_FILES = tuple(f"{SUPERNET}/{name}" for name in (SUPERNET_FILE, FIT_FILE, REFINE_FILE))
RESULT_FILES = (FRONT_FILE, HISTORY_FILE)
"""What is written again when a run that was interrupted goes on."""
FILES = (*SUPERNET_FILES, STITCHES, *RESULT_FILES)
"""Documents of a run folder whose digests are kept, each from when it is final."""


def check_folder(folder: Path, files: Collection[str] = FILES) -> RunDocument:
    """Read a run's document, and compare with it what lies in the folder: all but its samples.

    files: the documents that are relied on, of FILES. A run that another process writes at this
    moment is no changed one.

    Raises StorageError, naming the first difference, and as `read_document` does.
    """
    document = read_document(folder)
    while True:
        try:
            _check_folder(folder, document, files)
            return document
        except StorageError:
            again = read_document(folder)
            if again == document:
                raise
            document = again  # it was written meanwhile


def _check_folder(folder: Path, document: RunDocument, files: Collection[str]) -> None:
    check_unchanged(folder, document, {"networks": network_digests(folder, document.networks)})
    if document.stitches is not None and stitches_digest(folder) != document.stitches:
        path = folder / SUPERNET / STITCHES_FILE
        raise changed(folder, "the stitches changed since its search began", path)
    found = digests_of(folder, [name for name in files if name in document.files])
    for name, digest in found.items():
        if digest != document.files[name]:
            raise changed(folder, f"{name} changed since the run wrote it", folder / name)


def check_samples(folder: Path, document: RunDocument, task: Task) -> None:
    """Raise StorageError where a task's samples or labels are not those of the run."""
    check_unchanged(folder, document, {"samples": sample_digests(task)})


def check_unchanged(
    folder: Path, document: RunDocument, now: Mapping[str, Mapping[str, str]]
) -> None:
    """Raise StorageError, naming the first difference, where a run's inputs are others now.

    now: by kind ("versions", "networks" or "samples"), then by name.
    """
    recorded = {
        "versions": document.versions,
        "networks": document.networks,
        "samples": document.samples,
    }
    for kind, values in now.items():
        before = recorded[kind]
        for name in sorted(before.keys() | values.keys()):
            if before.get(name) != values.get(name):
                raise _difference(folder, kind, name, before, values)


def note_files(folder: Path, names: tuple[str, ...] = FILES) -> None:
    """Keep the digests of files that are final now."""
    files = read_document(folder).files
    update_document(folder, {"files": files | digests_of(folder, names)})


def forget_files(folder: Path, names: tuple[str, ...] = RESULT_FILES) -> None:
    """Drop the digests of files that are about to be written again."""
    files = {n: digest for n, digest in read_document(folder).files.items() if n not in names}
    update_document(folder, {"files": files})


def changed(folder: Path, what: str, place: Path | str = "what there was") -> StorageError:
    """Return what is said of a run that is not as it was."""
    return StorageError(
        f"the run in {folder} is not as it was: {what}; put back {place}, or run anew"
    )


def _difference(
    folder: Path, kind: str, name: str, before: Mapping[str, str], now: Mapping[str, str]
) -> StorageError:
    if kind == "versions":
        return StorageError(
            f"{folder} was begun with {name} {before.get(name)}, and this is {now.get(name)}; "
            f"go on with {name} {before.get(name)}, or run anew"
        )
    what = f"network {name!r}" if kind == "networks" else f"the {name} samples"
    if name not in before:
        return StorageError(f"{folder / RUN_FILE} does not say that the run began with {what}")
    if kind == "networks":
        place = folder / SUPERNET / "networks" / str(list(before).index(name))
        return changed(folder, f"{what} changed since the run began", place)
    gone = name not in now
    return changed(
        folder, f"{what} {'are not there any more' if gone else 'changed since the run began'}"
    )

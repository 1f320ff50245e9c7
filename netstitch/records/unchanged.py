"""Checking that the files and samples of a run are still what its document says.

Whatever shows, exports or goes on with a run relies on files that may have been edited, swapped or
cut since. They are compared by digests, which takes as long as reading them.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from netstitch.errors import StorageError
from netstitch.records.digests import (
    content_digest,
    digests_of,
    network_digests,
    sample_digests,
    stitches_digest,
)
from netstitch.records.run_document import RunDocument, read_document, update_document
from netstitch.records.run_folder import FRONT_FILE, HISTORY_FILE, RUN_FILE, STITCHES, SUPERNET
from netstitch.supernet.storage import FIT_FILE, REFINE_FILE, STITCHES_FILE, SUPERNET_FILE
from netstitch.tasks import Task

SUPERNET_FILES = tuple(f"{SUPERNET}/{name}" for name in (SUPERNET_FILE, FIT_FILE, REFINE_FILE))
RESULT_FILES = (FRONT_FILE, HISTORY_FILE)
"""Documents that are written again when a run that was interrupted goes on."""
FILES = (*SUPERNET_FILES, STITCHES, *RESULT_FILES)
"""Documents of a run folder whose digests are kept, each from when it is final."""


def check_folder(folder: Path, files: Collection[str] = FILES) -> RunDocument:
    """Return a run's document, after comparing with it what lies in the folder, but the samples.

    A run that another process writes at this moment is no changed one.

    Args:
        folder: Of the run.
        files: The documents that are relied on, of FILES.

    Raises:
        StorageError: Something changed; the first difference is named.
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
    _check_stitches(folder, document)
    noted = [name for name in files if name in document.files]
    found = digests_of(folder, noted)
    for name in noted:
        if found.get(name) != document.files[name]:
            how = "changed since the run wrote it" if name in found else "is not there any more"
            raise changed(folder, f"{name} {how}", folder / name)


def _check_stitches(folder: Path, document: RunDocument) -> None:
    known, since = {document.stitches}, "its search began"
    if document.stitches is None:
        known, since = {document.fitted, document.refined}, "they were fitted"
    if stitches_digest(folder) not in known:
        path = folder / SUPERNET / STITCHES_FILE
        raise changed(folder, f"the stitches changed since {since}", path)


def is_refined(folder: Path, document: RunDocument) -> bool:
    """Return whether a run's stitches were refined, even where none was the better for it."""
    return document.refined is not None and stitches_digest(folder) == document.refined


def note_refined(folder: Path, content: bytes) -> None:
    """Note the digest of refined stitches, which is done before their file is written."""
    update_document(folder, {"refined": content_digest(STITCHES_FILE, content)})


def check_samples(folder: Path, document: RunDocument, task: Task) -> None:
    """Raise StorageError where a task's samples or labels are not those of the run."""
    check_unchanged(folder, document, {"samples": sample_digests(task)})


def check_unchanged(
    folder: Path, document: RunDocument, now: Mapping[str, Mapping[str, str]]
) -> None:
    """Raise StorageError, naming the first difference, where a run's inputs are others now.

    Args:
        folder: Of the run.
        document: Its run.json.
        now: Digests or versions by kind ("versions", "networks" or "samples"), then by name.
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


def note_files(
    folder: Path, names: Collection[str] = FILES, changes: Mapping[str, Any] | None = None
) -> None:
    """Note the digests of files that are final now, and other changes of run.json, in one step."""
    files = read_document(folder).files | digests_of(folder, tuple(names))
    update_document(folder, {**(changes or {}), "files": files})


def forget_files(folder: Path, names: tuple[str, ...] = RESULT_FILES) -> None:
    """Forget the digests of files that are about to be written again."""
    files = {n: digest for n, digest in read_document(folder).files.items() if n not in names}
    update_document(folder, {"files": files})


def changed(folder: Path, what: str, kept: Path | str = "what there was") -> StorageError:
    """Return the error of a run that is not as it was."""
    return StorageError(
        f"the run in {folder} is not as it was: {what}; put back {kept}, or run anew"
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
        kept = folder / SUPERNET / "networks" / str(list(before).index(name))
        return changed(folder, f"{what} changed since the run began", kept)
    gone = name not in now
    return changed(
        folder, f"{what} {'are not there any more' if gone else 'changed since the run began'}"
    )

"""Digests of what a run depends on, and checking that this is still what its document says.

Whatever shows, exports or goes on with a run relies on files that may have been edited, swapped or
cut since. They are compared by digests, which takes as long as reading them.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import torch

from netstitch.errors import StorageError
from netstitch.networks.network_files import GRAPH_FILE, WEIGHTS_FILE
from netstitch.records.run_document import RunDocument, read_document, update_document
from netstitch.records.run_folder import FRONT_FILE, HISTORY_FILE, RUN_FILE, STITCHES, SUPERNET
from netstitch.supernet.storage import (
    EXIT_REPORT_FILE,
    EXITS_FILE,
    FIT_FILE,
    REFINE_FILE,
    STITCHES_FILE,
    SUPERNET_FILE,
)
from netstitch.tasks import Samples, Task
from netstitch.version import VERSION

DIGEST_BYTES = 16
EXIT_REPORT = f"{SUPERNET}/{EXIT_REPORT_FILE}"
"""Its digest is kept from when exits are fitted."""
EXITS = (EXIT_REPORT, *(f"{SUPERNET}/{name}" for name in (EXITS_FILE, SUPERNET_FILE)))
"""Files that are written anew when exits are fitted; the last one names them."""
SUPERNET_FILES = (*EXITS, *(f"{SUPERNET}/{name}" for name in (FIT_FILE, REFINE_FILE)))
RESULT_FILES = (FRONT_FILE, HISTORY_FILE)
"""Documents that are written again when a run that was interrupted goes on."""
FILES = (*SUPERNET_FILES, STITCHES, *RESULT_FILES)
"""Documents of a run folder whose digests are kept, each from when it is final."""


def check_folder(folder: Path, files: Collection[str] = FILES) -> RunDocument:
    """Return a run's document, after comparing with it what lies in the folder, but the samples.

    A run that is being written now is read again, not reported as changed. Of the documents in
    FILES, those in `files` are compared.

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
    now = network_digests(folder, document.networks)
    for index, (name, digest) in enumerate(document.networks.items()):
        if now[name] != digest:
            kept = folder / SUPERNET / "networks" / str(index)
            raise _changed(folder, f"network {name!r} changed since the run began", kept)
    known, since = {document.stitches}, "its search began"
    if document.stitches is None:
        known, since = {document.fitted, document.refined}, "they were fitted"
    if stitches_digest(folder) not in known:
        path = folder / SUPERNET / STITCHES_FILE
        raise _changed(folder, f"the stitches changed since {since}", path)
    noted = [name for name in files if name in document.files]
    found = digests_of(folder, noted)
    for name in noted:
        if found.get(name) != document.files[name]:
            how = "changed since the run wrote it" if name in found else "is not there any more"
            raise _changed(folder, f"{name} {how}", folder / name)


def check_samples(folder: Path, document: RunDocument, task: Task) -> None:
    """Raise StorageError where a task's samples or labels are not those of the run."""
    now = sample_digests(task)
    part = _first_difference(document.samples, now)
    if part is not None and part not in document.samples:
        raise StorageError(
            f"{folder / RUN_FILE} does not say that the run began with the {part} samples"
        )
    if part is not None:
        how = "changed since the run began" if part in now else "are not there any more"
        raise _changed(folder, f"the {part} samples {how}", "what there was")


def check_versions(folder: Path, document: RunDocument) -> None:
    """Raise StorageError where a run was begun with other versions than these."""
    before, now = document.versions, versions()
    name = _first_difference(before, now)
    if name is not None:
        raise StorageError(
            f"{folder} was begun with {name} {before.get(name)}, and this is {now.get(name)}; "
            f"go on with {name} {before.get(name)}, or run anew"
        )


def versions() -> dict[str, str]:
    """Return the versions of the packages that decide on a run's numbers."""
    return {"netstitch": VERSION, "torch": torch.__version__}


def is_refined(folder: Path, document: RunDocument) -> bool:
    """Return whether a run's stitches were refined, even where none was the better for it."""
    return document.refined is not None and stitches_digest(folder) == document.refined


def note_refined(folder: Path, content: bytes) -> None:
    """Note the digest of refined stitches, which is done before their file is written."""
    found = hashlib.blake2b(f"{STITCHES_FILE}\0".encode(), digest_size=DIGEST_BYTES)
    found.update(content)
    update_document(folder, {"refined": found.hexdigest()})


def note_files(
    folder: Path, names: Collection[str] = FILES, changes: Mapping[str, object] | None = None
) -> None:
    """Note the digests of files that are final now, and other changes of run.json, in one step."""
    files = read_document(folder).files | digests_of(folder, names)
    update_document(folder, {**(changes or {}), "files": files})


def forget_files(folder: Path, names: Collection[str] = RESULT_FILES) -> None:
    """Forget the digests of files that are about to be written again."""
    files = {n: digest for n, digest in read_document(folder).files.items() if n not in names}
    update_document(folder, {"files": files})


def network_digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the digests of the networks in a run's folder, by name."""
    networks = folder / SUPERNET / "networks"
    files = (GRAPH_FILE, WEIGHTS_FILE)
    return {name: _digest(networks / str(index), files) for index, name in enumerate(names)}


def stitches_digest(folder: Path) -> str:
    """Return the digest of the stitches in a run's folder."""
    return _digest(folder / SUPERNET, [STITCHES_FILE])


def digests_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the digests of those files in a folder that are there, by path."""
    return {name: _digest(folder, [name]) for name in names if (folder / name).is_file()}


def sample_digests(task: Task) -> dict[str, str]:
    """Return the digests of a task's samples with their labels, by part, in the order as read."""
    parts = [("training", task.training), *task.measured.items()]
    return {name: _samples_digest(part) for name, part in parts if part is not None}


def _digest(folder: Path, names: Sequence[str]) -> str:
    """Return one digest of the names and contents of files, which raise StorageError if missing."""
    found = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for name in names:
        found.update(f"{name}\0".encode())
        try:
            if (folder / name).exists() and not (folder / name).is_file():
                raise OSError("it is no file")  # such as a pipe, which may never end
            with (folder / name).open("rb") as opened:
                hashlib.file_digest(opened, lambda: found)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StorageError(f"{folder / name} cannot be read: {reason}; put it back") from error
    return found.hexdigest()


def _samples_digest(samples: Samples) -> str:
    found = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for tensor in (samples.inputs, samples.labels):
        found.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        for part in torch.split(tensor, 1024):
            found.update(part.contiguous().numpy().data)
    return found.hexdigest()


def _first_difference(before: Mapping[str, str], now: Mapping[str, str]) -> str | None:
    names = sorted(before.keys() | now.keys())
    return next((name for name in names if before.get(name) != now.get(name)), None)


def _changed(folder: Path, what: str, kept: Path | str) -> StorageError:
    return StorageError(
        f"the run in {folder} is not as it was: {what}; put back {kept}, or run anew"
    )

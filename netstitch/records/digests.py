"""Digests of what a run depends on: its networks, stitches and samples."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from netstitch.errors import StorageError
from netstitch.networks.network_files import GRAPH_FILE, WEIGHTS_FILE
from netstitch.records.run_folder import SUPERNET
from netstitch.supernet.storage import STITCHES_FILE
from netstitch.tasks import Samples, Task

DIGEST_BYTES = 16
CHUNK = 1 << 24
NETWORK_FILES = (GRAPH_FILE, WEIGHTS_FILE)


def network_digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the digests of the networks in a run's folder, by name."""
    networks = folder / SUPERNET / "networks"
    return {name: _digest(networks / str(index), NETWORK_FILES) for index, name in enumerate(names)}


def sample_digests(task: Task) -> dict[str, str]:
    """Return the digests of a task's samples with their labels, by part, in the order as read."""
    parts = [("training", task.training), *task.measured.items()]
    return {name: _samples_digest(part) for name, part in parts if part is not None}


def stitches_digest(folder: Path) -> str:
    """Return the digest of the stitches in a run's folder."""
    return _digest(folder / SUPERNET, [STITCHES_FILE])


def content_digest(name: str, content: bytes) -> str:
    """Return the digest of a file of this name and content."""
    found = hashlib.blake2b(f"{name}\0".encode(), digest_size=DIGEST_BYTES)
    found.update(content)
    return found.hexdigest()


def digests_of(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the digests of those files in a folder that are there, by path."""
    return {name: _digest(folder, [name]) for name in names if (folder / name).is_file()}


def _digest(folder: Path, names: Sequence[str]) -> str:
    """Return one digest of the names and contents of files, which raise StorageError if missing."""
    found = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for name in names:
        found.update(f"{name}\0".encode())
        try:
            if (folder / name).exists() and not (folder / name).is_file():
                raise OSError("it is no file")  # such as a pipe, which may never end
            with (folder / name).open("rb") as opened:
                while chunk := opened.read(CHUNK):
                    found.update(chunk)
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

"""Samples from a file of arrays: .npz or .safetensors, neither of which can hold code."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch

from netstitch.errors import DataError
from netstitch.tasks.arrays import Array, ImageLayout, from_arrays
from netstitch.tasks.samples import Samples
from netstitch.tasks.selection import Selection, chosen

ENTRIES = ("inputs", "labels")


def from_file(
    path: Path | str,
    *,
    name: str | None = None,
    images: ImageLayout | None = None,
    limit: int | None = None,
    selection: Selection = "evenly",
) -> Samples:
    """Samples from the arrays `inputs` and `labels` of a .npz or .safetensors file.

    name: by default the file's, without its ending. images: as in `from_arrays`. limit: keep that
    many, evenly over the classes, or the first ones with selection "first".

    Pickles are never read: an array of Python objects is refused, not opened. Raises DataError when
    the file is missing, damaged or of another kind, and as `from_arrays` does.
    """
    path = Path(path)
    name = path.stem if name is None else name
    arrays = _read(path, ENTRIES)
    samples = from_arrays(arrays["inputs"], arrays["labels"], name=name, images=images)
    kept = chosen(samples.labels.tolist(), limit, selection)
    if len(kept) == len(samples):
        return samples
    return Samples(samples.inputs[kept], samples.labels[kept], name)


def read_inputs(path: Path | str) -> Array:
    """The array `inputs` alone, (n, ...); raises DataError as `from_file` does."""
    return _read(Path(path), ENTRIES[:1])["inputs"]


def _read(path: Path, entries: Sequence[str]) -> dict[str, Array]:
    if not path.is_file():
        raise DataError(f"{path} is no file; expected a .npz or .safetensors file of arrays")
    if path.suffix == ".npz":
        return _read_npz(path, entries)
    if path.suffix == ".safetensors":
        return _read_safetensors(path, entries)
    raise DataError(
        f"{path} is of a kind that is not read (it may hold a pickle); expected .npz or "
        f".safetensors with the arrays {' and '.join(entries)}, save it as one of these"
    )


def _read_npz(path: Path, entries: Sequence[str]) -> dict[str, Array]:
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DataError(f"{path} is a single array; expected .npz with {' and '.join(entries)}")
        with archive:
            _check_entries(path, archive.files, entries)
            return {entry: _read_entry(path, archive, entry) for entry in entries}
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise DataError(
            f"{path} cannot be read as .npz ({_line(error)}); it is damaged or holds a pickle, "
            "which is not read: save it again with numpy.savez"
        ) from error


def _read_entry(path: Path, archive: np.lib.npyio.NpzFile, entry: str) -> Array:
    try:
        array: Array = archive[entry]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise DataError(
            f"{path}: {entry} is an array of Python objects, which is a pickle; pickles are not "
            "read, expected an array of numbers"
        ) from error
    return array


def _read_safetensors(path: Path, entries: Sequence[str]) -> dict[str, Array]:
    try:
        with safetensors.safe_open(path, framework="pt") as archive:
            _check_entries(path, list(archive.keys()), entries)
            return {entry: archive.get_tensor(entry) for entry in entries}
    except (safetensors.SafetensorError, OSError) as error:
        raise DataError(
            f"{path} cannot be read as .safetensors ({_line(error)}); it is damaged or of another "
            "kind, save it again"
        ) from error


def _check_entries(path: Path, found: list[str], entries: Sequence[str]) -> None:
    missing = [entry for entry in entries if entry not in found]
    if missing:
        raise DataError(
            f"{path} lacks {' and '.join(missing)}; expected the arrays {' and '.join(entries)}, "
            f"it holds {', '.join(sorted(found)) or 'nothing'}"
        )


def _line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:160]

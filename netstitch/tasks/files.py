"""Samples from a file of arrays: .npz or .safetensors, neither of which can hold code."""

import zipfile
import zlib
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
    if not path.is_file():
        raise DataError(f"{path} is no file; expected a .npz or .safetensors file of arrays")
    if path.suffix == ".npz":
        arrays = _read_npz(path)
    elif path.suffix == ".safetensors":
        arrays = _read_safetensors(path)
    else:
        raise DataError(
            f"{path} is of a kind that is not read (it may hold a pickle); expected .npz or "
            ".safetensors with the arrays inputs and labels, save it as one of these"
        )
    samples = from_arrays(arrays["inputs"], arrays["labels"], name=name, images=images)
    kept = chosen(samples.labels.tolist(), limit, selection)
    if len(kept) == len(samples):
        return samples
    return Samples(samples.inputs[kept], samples.labels[kept], name)


def _read_npz(path: Path) -> dict[str, Array]:
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise DataError(f"{path} is a single array; expected .npz with inputs and labels")
        with archive:
            _check_entries(path, archive.files)
            return {entry: _read_entry(path, archive, entry) for entry in ENTRIES}
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


def _read_safetensors(path: Path) -> dict[str, Array]:
    try:
        with safetensors.safe_open(path, framework="pt") as archive:
            _check_entries(path, list(archive.keys()))
            return {entry: archive.get_tensor(entry) for entry in ENTRIES}
    except (safetensors.SafetensorError, OSError) as error:
        raise DataError(
            f"{path} cannot be read as .safetensors ({_line(error)}); it is damaged or of another "
            "kind, save it again"
        ) from error


def _check_entries(path: Path, found: list[str]) -> None:
    missing = [entry for entry in ENTRIES if entry not in found]
    if missing:
        raise DataError(
            f"{path} lacks {' and '.join(missing)}; expected the arrays inputs and labels, "
            f"it holds {', '.join(sorted(found)) or 'nothing'}"
        )


def _line(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:160]

"""Arrays of a file, .npz or .safetensors, of which neither can then run code."""

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch

from netstitch.errors import DataError
from netstitch.tasks.datasets.arrays import Array
from netstitch.tasks.datasets.given import path_of
from netstitch.text import one_line

FILES = (".npz", ".safetensors")
ENTRIES = ("inputs", "labels")
ARRAY = ".npy"


def read_arrays(path: Path | str, entries: Sequence[str] = ENTRIES) -> tuple[Array, ...]:
    """Return the arrays of some names in a .npz or .safetensors file, by default inputs and labels.

    Pickles are never read: an array of Python objects is refused, not opened.

    Raises:
        DataError: When the file is missing, damaged or of another kind, or lacks one of them.
    """
    path = path_of(path, "a .npz or .safetensors file")
    if not os.path.isfile(path):  # which, unlike the path's own, says no where it may not look
        raise DataError(f"{path} is no file; expected a .npz or .safetensors file of arrays")
    kind = path.suffix.lower()
    if kind not in FILES:
        raise DataError(
            f"{path} is of a kind that is not read (it may hold a pickle); expected .npz or "
            f".safetensors with the arrays {' and '.join(entries)}, save it as one of these"
        )
    try:
        return _read_npz(path, entries) if kind == ".npz" else _read_safetensors(path, entries)
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(
            f"{path} does not fit into memory; give fewer samples, or images in a folder, which "
            "are not held in it"
        ) from error
    except Exception as error:
        # Damage shows in many ways: BadZipFile, zlib.error, TokenError, RuntimeError, KeyError.
        raise DataError(
            f"{path} cannot be read as {kind} ({one_line(error)[:160]}); it is damaged, of another "
            "kind, or holds a pickle, which is not read: save it again"
        ) from error


def _read_npz(path: Path, entries: Sequence[str]) -> tuple[Array, ...]:
    with path.open("rb") as file:
        if file.read(len(np.lib.format.MAGIC_PREFIX)) == np.lib.format.MAGIC_PREFIX:
            raise DataError(f"{path} is a single array; expected .npz with {' and '.join(entries)}")
    found = []
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        held = [name.removesuffix(ARRAY) for name in names if name.endswith(ARRAY)]
        _check_entries(path, held, entries)
        for entry in entries:
            with archive.open(entry + ARRAY) as member:
                found.append(np.lib.format.read_array(member, allow_pickle=False))
                if member.read(1):  # its check sum is not looked at before its end
                    raise DataError(
                        f"{path}: {entry} is damaged: more numbers are there than its shape "
                        f"{found[-1].shape} holds; save it again with numpy.savez"
                    )
    return tuple(found)


def _read_safetensors(path: Path, entries: Sequence[str]) -> tuple[Array, ...]:
    with safetensors.safe_open(path, framework="pt") as archive:
        _check_entries(path, list(archive.keys()), entries)
        return tuple(archive.get_tensor(entry) for entry in entries)


def _check_entries(path: Path, found: list[str], entries: Sequence[str]) -> None:
    missing = [entry for entry in entries if entry not in found]
    if missing:
        raise DataError(
            f"{path} lacks {' and '.join(missing)}; expected the arrays {' and '.join(entries)}, "
            f"it holds {', '.join(sorted(found)) or 'nothing'}: save those that are meant by these "
            "names, in a file for each part"
        )

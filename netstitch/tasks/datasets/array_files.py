"""Arrays of a file, .npz or .safetensors, of which neither can then run code."""

import math
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
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
ENCRYPTED = 1
"""The bit of a member's flags that says so."""
MOST_COMPRESSED = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: 1_100}
"""The most that each way of packing shrinks anything; deflate 1,032 times."""
OTHERWISE = 100_000


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
    with zipfile.ZipFile(path) as archive:
        held = {one.filename: one for one in archive.infolist()}
        names = [name.removesuffix(ARRAY) for name in held if name.endswith(ARRAY)]
        _check_entries(path, names, entries)
        found = []
        for entry in entries:
            _check_member(f"{path}: {entry}", archive, held[entry + ARRAY])
            with archive.open(held[entry + ARRAY]) as member:
                found.append(np.lib.format.read_array(member, allow_pickle=False))
    return tuple(found)


def _check_member(title: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> None:
    """Raise DataError unless an array's header fits what is there, before room for it is taken."""
    if info.flag_bits & ENCRYPTED:
        raise DataError(f"{title} is encrypted; save it without a password, with numpy.savez")
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        read = HEADERS.get(version)
        if read is None:
            raise DataError(f"{title} is no plain array; expected an array of numbers")
        shape, _, dtype = read(member)
        begin = member.tell()
    if dtype.hasobject:
        raise DataError(
            f"{title} is an array of Python objects, which is a pickle; pickles are not read, "
            "expected an array of numbers"
        )
    expected, there = math.prod(shape) * dtype.itemsize, info.file_size - begin
    # The archive may lie about its sizes too, by no more than it can have compressed.
    most = MOST_COMPRESSED.get(info.compress_type, OTHERWISE) * info.compress_size
    possible = info.file_size <= most
    if min(shape, default=0) < 0 or expected != there or not possible:
        held = f"{there:,}" if possible else f"at most {most:,}"
        raise DataError(
            f"{title} is damaged: {dtype} {shape} takes {expected:,} bytes, and {held} are there; "
            "save it again with numpy.savez"
        )


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

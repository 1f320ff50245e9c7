"""The arrays of decoded images on disk.

The folder of a listing holds generations, numbered folders. In each are the inputs of the images
that could be read, one after the other (`inputs.npy`), their label maps where there are any
(`masks.npy`), of which state of each file they are (`states.npy`), and which row an image has
(`rows.npy`: 0 where it was not read yet, -1 where it is damaged, else the row and 1).

A row that was written never changes, since running processes may have it mapped. Where files
changed, a new generation takes over the rows of those that did not; the older ones are removed once
it is whole.
"""

import io
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from netstitch.files.alignment import padding
from netstitch.tasks.datasets.listing import Listing

INPUTS, MASKS, STATES, ROWS = "inputs.npy", "masks.npy", "states.npy", "rows.npy"
DAMAGED = -1
GONE = -1
"""In a state: the file is not there."""
_TEXT = 10
"""Bytes before the text of a header, of which the last two are its length."""

Array = np.ndarray[Any, np.dtype[Any]]
Mode = Literal["r+", "c"]
Shape = tuple[int, ...]
Kinds = dict[str, tuple[Shape, Any]]
"""Shape and type of the arrays of images, by file."""


def kinds_of(listing: Listing, shape: Shape) -> Kinds:
    """Of a listing's inputs, each of a shape, and of its label maps."""
    kinds: Kinds = {INPUTS: ((len(listing), *shape), np.float32)}
    if listing.masks:
        kinds[MASKS] = ((len(listing), *shape[1:]), np.uint8)
    return kinds


def bytes_of(kinds: Kinds) -> int:
    return sum(int(np.prod(shape)) * np.dtype(dtype).itemsize for shape, dtype in kinds.values())


def states_of(listing: Listing) -> Array:
    """(n, 4) int64: size and time of change of each image, and of its label map."""
    states = np.zeros((len(listing), 4), np.int64)
    for column, files in ((0, listing.files), (2, listing.masks)):
        for index, file in enumerate(files):
            try:
                found = os.stat(file)
                states[index, column : column + 2] = found.st_size, found.st_mtime_ns
            except OSError:
                states[index, column : column + 2] = GONE
    return states


class Kept:
    """One generation.

    mode: "r+" to add images, or "c": what is written into its arrays then does not reach the disk.
    """

    def __init__(self, folder: Path, kinds: Kinds, mode: Mode) -> None:
        self.folder = folder
        self.states: Array = np.load(folder / STATES)
        self.rows = np.lib.format.open_memmap(folder / ROWS, mode=mode)
        self._arrays = {name: np.lib.format.open_memmap(folder / name, mode=mode) for name in kinds}

    def unread(self) -> list[int]:
        return np.flatnonzero(self.rows == 0).tolist()

    def damaged(self) -> list[int]:
        return np.flatnonzero(self.rows == DAMAGED).tolist()

    def good(self) -> list[int]:
        """Indices of the images that are there, in their order, which is that of the rows."""
        return np.flatnonzero(self.rows > 0).tolist()

    def values(self, index: int) -> tuple[Tensor, Tensor | None]:
        """The input and the label map of an image that is there."""
        row = int(self.rows[index]) - 1
        found = [torch.from_numpy(np.array(array[row])) for array in self._arrays.values()]
        return found[0], found[1] if len(found) > 1 else None

    def add(self, found: Sequence[tuple[int, tuple[Tensor, Tensor | None] | None]]) -> None:
        """Write the next images down, in their order; None for one that is damaged."""
        row = int(self.rows.max(initial=0))
        rows = []
        for _, values in found:
            if values is None:
                rows.append(DAMAGED)
                continue
            for array, value in zip(self._arrays.values(), values, strict=False):
                assert value is not None
                array[row] = value.numpy()
            row += 1
            rows.append(row)
        for array in self._arrays.values():  # before their rows, should the power fail
            array.flush()
        self.rows[[index for index, _ in found]] = rows
        self.rows.flush()

    def tensors(self) -> tuple[Tensor, Tensor | None]:
        """Inputs and label maps of the images that are there, which are mapped files."""
        count = len(self.good())
        found = [torch.from_numpy(array)[:count] for array in self._arrays.values()]
        return found[0], found[1] if len(found) > 1 else None


def latest(folder: Path, kinds: Kinds, mode: Mode) -> Kept | None:
    """The newest generation in a listing's folder, where there is one that is sound."""
    return next(sound(folder, kinds, mode), None)


def sound(folder: Path, kinds: Kinds, mode: Mode) -> Iterator[Kept]:
    """Generations whose files are as they should be, the newest first.

    Another process may remove one meanwhile, which then is none.
    """
    count = kinds[INPUTS][0][0]
    expected = {**kinds, STATES: ((count, 4), np.int64), ROWS: ((count,), np.int64)}
    for number in sorted(_numbers(folder), reverse=True):
        place = folder / str(number)
        if all(_is_whole(place / name, *kind) for name, kind in expected.items()):
            try:
                found = Kept(place, kinds, mode)
            except FileNotFoundError:
                continue
            yield found


def begin(folder: Path, kinds: Kinds, states: Array) -> Kept:
    """A new generation without images.

    Raises OSError where the disk is full: the place of all images is taken at once.
    """
    place = folder / str(max(_numbers(folder), default=0) + 1)
    place.mkdir()
    try:
        for name, (shape, dtype) in kinds.items():
            _make(place / name, shape, dtype)
        np.save(place / STATES, states)
        np.save(place / ROWS, np.zeros(len(states), np.int64))
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return Kept(place, kinds, "r+")


def remove_older(folder: Path, than: Kept) -> None:
    """Remove all generations but one; processes that have their files mapped keep them."""
    for number in _numbers(folder):
        if str(number) != than.folder.name:
            shutil.rmtree(folder / str(number), ignore_errors=True)


def _numbers(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    return [int(one.name) for one in folder.iterdir() if one.name.isdecimal() and one.is_dir()]


def _is_whole(path: Path, shape: Shape, dtype: Any) -> bool:
    """Whether a file holds an array of this shape, to its end; the file is not changed."""
    # Mapping with "r" refuses a file that was cut; with "r+" it would be made longer.
    with suppress(OSError, ValueError, TypeError, SyntaxError, EOFError):
        found = np.lib.format.open_memmap(path, mode="r")
        return bool(found.shape == shape and found.dtype == dtype)
    return False


def _make(path: Path, shape: Shape, dtype: Any) -> None:
    header = _header(shape, dtype)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + int(np.prod(shape)) * np.dtype(dtype).itemsize)
    if hasattr(os, "posix_fallocate"):  # else a full disk would end the process, not the run
        with path.open("r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(path)) from error


def _header(shape: Shape, dtype: Any) -> bytes:
    """What stands before the numbers of an array of zeros, which begin on a boundary of memory."""
    made = io.BytesIO()
    about = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(made, about)
    content = made.getvalue()
    text = content[_TEXT:-1] + b" " * padding(len(content)) + b"\n"
    return content[: _TEXT - 2] + len(text).to_bytes(2, "little") + text

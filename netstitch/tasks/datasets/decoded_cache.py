"""The arrays of decoded images on disk.

The folder of a listing holds generations, numbered folders. In each are the inputs of the images
that could be read, one after the other (`inputs`), their label maps where there are any (`masks`),
of which state of each file they are (`states`), and which row an image has (`rows`: 0 where it was
not read yet, -1 where it is damaged, else the row and 1). Files hold the numbers of one array.

A row that was written never changes, since running processes may have it mapped. Where files
changed, a new generation takes over the rows of those that did not; the older ones are removed once
it is whole.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from netstitch.files.alignment import padding
from netstitch.tasks.datasets.listing import Listing

INPUTS, MASKS, STATES, ROWS = "inputs", "masks", "states", "rows"
DAMAGED = -1
GONE = -1
"""In a state: the file is not there."""

States = NDArray[np.int64]
"""(n, 4) size and time of change of each image, and of its label map."""
ArrayKinds = dict[str, tuple[tuple[int, ...], DTypeLike]]
"""Shape and type of arrays, by file."""
Decoded = list[Tensor]
"""The input of an image, and its label map where there is one."""


def kinds_of(listing: Listing, shape: tuple[int, ...]) -> ArrayKinds:
    """Return the arrays of a listing whose inputs have a shape."""
    count = len(listing)
    kinds: ArrayKinds = {INPUTS: ((count, *shape), np.float32)}
    if listing.masks:
        kinds[MASKS] = ((count, *shape[1:]), np.uint8)
    return {**kinds, STATES: ((count, 4), np.int64), ROWS: ((count,), np.int64)}


def bytes_of(kinds: ArrayKinds) -> int:
    """Return the bytes that arrays take."""
    return sum(prod(shape) * np.dtype(dtype).itemsize for shape, dtype in kinds.values())


def states_of(listing: Listing) -> States:
    """Return the state of each image's files as they are now."""
    states = np.zeros((len(listing), 4), np.int64)
    for column, files in ((0, listing.files), (2, listing.masks)):
        for index, file in enumerate(files):
            try:
                found = os.stat(file)
                states[index, column : column + 2] = found.st_size, found.st_mtime_ns
            except OSError:
                states[index, column : column + 2] = GONE
    return states


class Generation:
    """The arrays of one generation.

    Args:
        folder: Of the generation.
        kinds: The arrays in it.
        mode: "r+" to add images, or "c": what is written into arrays then does not reach the disk.
    """

    def __init__(self, folder: Path, kinds: ArrayKinds, mode: Literal["r+", "c"]) -> None:
        self.folder = folder
        arrays = [
            np.memmap(folder / name, dtype, mode, padding(0), shape)
            for name, (shape, dtype) in kinds.items()
        ]
        *self._arrays, self.states, self.rows = arrays

    def unread(self) -> list[int]:
        """Return the indices of images that were not read yet."""
        return np.flatnonzero(self.rows == 0).tolist()

    def damaged(self) -> list[int]:
        """Return the indices of images that could not be read."""
        return np.flatnonzero(self.rows == DAMAGED).tolist()

    def good(self) -> list[int]:
        """Return the indices of the images that are there, in the order of their rows."""
        return np.flatnonzero(self.rows > 0).tolist()

    def values(self, index: int) -> Decoded:
        """Return a copy of what an image that is there became."""
        row = int(self.rows[index]) - 1
        return [torch.from_numpy(np.array(array[row])) for array in self._arrays]

    def tensors(self) -> Decoded:
        """Return the same of all images that are there, together: tensors that are mapped files."""
        count = len(self.good())
        return [torch.from_numpy(array)[:count] for array in self._arrays]

    def add(self, found: Sequence[tuple[int, Decoded | None]]) -> None:
        """Write the next images by index, in their order; None for one that is damaged."""
        row = int(self.rows.max(initial=0))
        rows = []
        for _, values in found:
            if values is None:
                rows.append(DAMAGED)
                continue
            for array, value in zip(self._arrays, values, strict=True):
                array[row] = value.numpy()
            row += 1
            rows.append(row)
        for array in self._arrays:  # before their rows, should the power fail
            array.flush()
        self.rows[[index for index, _ in found]] = rows
        self.rows.flush()


def sound(folder: Path, kinds: ArrayKinds, mode: Literal["r+", "c"]) -> Iterator[Generation]:
    """Yield the generations whose files are as large as they should be, the newest first.

    One that cannot be read, or that another process removes meanwhile, is none.
    """
    for number in sorted(_numbers(folder), reverse=True):
        inner = folder / str(number)
        try:
            if all((inner / name).stat().st_size == size for name, size in _sizes(kinds).items()):
                yield Generation(inner, kinds, mode)
        except OSError:
            continue


def begin(folder: Path, kinds: ArrayKinds, states: States) -> Generation:
    """Return a new generation without images; the place of all images is taken at once.

    Raises:
        OSError: Where the disk is full.
    """
    inner = folder / str(max(_numbers(folder), default=0) + 1)
    inner.mkdir()
    try:
        for name, size in _sizes(kinds).items():
            with (inner / name).open("wb") as file:
                file.truncate(size)
                if hasattr(os, "posix_fallocate"):  # else a full disk would end the process
                    os.posix_fallocate(file.fileno(), 0, size)
        begun = Generation(inner, kinds, "r+")
        begun.states[:] = states
        begun.states.flush()
    except BaseException:
        shutil.rmtree(inner, ignore_errors=True)
        raise
    return begun


def remove_older(folder: Path, than: Generation) -> None:
    """Remove all generations but one; processes that have their files mapped keep them."""
    for number in _numbers(folder):
        if str(number) != than.folder.name:
            shutil.rmtree(folder / str(number), ignore_errors=True)


def _numbers(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    return [int(one.name) for one in folder.iterdir() if one.name.isdecimal() and one.is_dir()]


def _sizes(kinds: ArrayKinds) -> dict[str, int]:
    """Return the bytes of each file."""
    return {name: padding(0) + bytes_of({name: kind}) for name, kind in kinds.items()}

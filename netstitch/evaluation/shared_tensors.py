"""Objects whose tensors lie where all processes of a machine read them, instead of copying them.

That is a file that they map into memory, of which pages are read when first touched, or an array
that Ray shares. Both serve a program and the processes that it starts: none outlives them, and none
that came from elsewhere is opened. Tensors are aligned where they are read.
"""

import io
import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netstitch.files.alignment import aligned, padding


@dataclass(frozen=True, eq=False)
class SharedTensors:
    """An object whose tensors are elsewhere.

    Attributes:
        content: The tensors' storages, one after the other: the file, or an array.
        rest: Everything but the tensors, pickled.
    """

    content: Path | NDArray[np.uint8]
    rest: bytes


@dataclass(frozen=True)
class TensorPlace:
    """The bytes of a tensor's storage, and how it lies there; strides and offset in elements."""

    start: int
    bytes: int
    dtype: torch.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    parameter: bool


def share(value: object, path: Path | None = None) -> SharedTensors:
    """Write the tensors of an object, as they lie in memory, into a new file or an array.

    Tensors that share memory share it there too. Those on other devices are written as they are on
    the CPU.

    Args:
        value: The object.
        path: The file; None for an array.

    Raises:
        OSError: The file is there, or cannot be written. What pickling raises is raised too.
    """
    rest = io.BytesIO()
    if path is not None:
        with path.open("xb") as file:
            _Writer(rest, file).dump(value)
        return SharedTensors(path, rest.getvalue())
    content = io.BytesIO()
    _Writer(rest, content).dump(value)
    return SharedTensors(np.frombuffer(content.getbuffer(), np.uint8), rest.getvalue())


def load_shared(shared: SharedTensors) -> object:
    """Return the object, its tensors in the memory of the file or the array.

    What is written into those of a file changes this copy alone; nothing may write into an array.
    One that does not begin on a boundary of memory, such as Ray's, is copied.
    """
    everything = torch.empty(0, dtype=torch.uint8)
    if not isinstance(shared.content, Path):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            everything = aligned(torch.from_numpy(shared.content))
    elif size := shared.content.stat().st_size:
        # Private: pages are shared until something writes into them.
        everything = torch.from_file(
            str(shared.content), shared=False, size=size, dtype=torch.uint8
        )
    return _Reader(io.BytesIO(shared.rest), everything).load()


class _Writer(pickle.Pickler):
    def __init__(self, rest: io.BytesIO, file: BinaryIO) -> None:
        super().__init__(rest)
        self._file = file
        self._starts: dict[int, int] = {}  # of storages, by their address
        self._alive: list[Tensor] = []  # so that no address is used again

    def persistent_id(self, value: object) -> TensorPlace | None:
        if not isinstance(value, Tensor):
            return None
        tensor = value.detach().cpu()
        storage = tensor.untyped_storage()
        address = storage.data_ptr()
        if address not in self._starts:
            self._alive.append(tensor)
            # Parts of a storage that were aligned stay so, and one that was not becomes so.
            inside = tensor.data_ptr() - address
            self._file.write(b"\0" * padding(self._file.tell() + inside))
            self._starts[address] = self._file.tell()
            self._file.write(torch.empty(0, dtype=torch.uint8).set_(storage).numpy().data)
        return TensorPlace(
            self._starts[address],
            storage.nbytes(),
            tensor.dtype,
            tuple(tensor.shape),
            tensor.stride(),
            int(tensor.storage_offset()),
            isinstance(value, nn.Parameter),
        )


class _Reader(pickle.Unpickler):
    def __init__(self, rest: io.BytesIO, everything: Tensor) -> None:
        super().__init__(rest)
        self._everything = everything

    def persistent_load(self, stored: TensorPlace) -> Tensor:
        memory = self._everything.untyped_storage()[stored.start : stored.start + stored.bytes]
        tensor = torch.empty(0, dtype=stored.dtype)
        tensor.set_(memory, stored.offset, stored.shape, stored.strides)
        tensor = aligned(tensor)
        return nn.Parameter(tensor, requires_grad=False) if stored.parameter else tensor

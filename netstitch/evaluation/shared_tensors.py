"""Objects whose tensors lie in a file that all processes of a machine map into memory.

A process that maps such a file holds no copy: pages are read when first touched, and are the same
memory for all processes. Files serve a program and the processes that it starts: none outlives
them, and none that came from elsewhere is opened. Tensors are aligned where they are mapped.
"""

import io
import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netstitch.files.alignment import aligned, padding


@dataclass(frozen=True)
class MappedTensors:
    """An object whose tensors are in a file.

    Attributes:
        path: The file.
        rest: Everything but the tensors, pickled.
    """

    path: Path
    rest: bytes


@dataclass(frozen=True)
class TensorPlace:
    """The place of a tensor.

    Attributes:
        start: The first byte of its storage.
        bytes: Of its storage.
        dtype: Of its elements.
        shape: Its sizes.
        strides: In elements.
        offset: In its storage, in elements.
        parameter: Whether it is a `Parameter`.
    """

    start: int
    bytes: int
    dtype: torch.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    parameter: bool


@dataclass(frozen=True, eq=False)
class PackedTensors:
    """An object whose tensors are in one array, which Ray's processes on a machine share.

    Attributes:
        content: The tensors' storages, one after the other.
        rest: Everything but the tensors, pickled.
    """

    content: NDArray[np.uint8]
    rest: bytes


def pack(value: Any) -> PackedTensors:
    """Return the object with its tensors, on the CPU, in one array; raise what pickling raises."""
    content, rest = io.BytesIO(), io.BytesIO()
    _Writer(rest, content).dump(value)
    return PackedTensors(np.frombuffer(content.getbuffer(), np.uint8), rest.getvalue())


def unpack(packed: PackedTensors) -> Any:
    """Return the object, its tensors in the array's memory, which nothing may write into.

    An array that does not begin on a boundary of memory, such as Ray's shared ones, is copied.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        everything = aligned(torch.from_numpy(packed.content))
    return _Reader(io.BytesIO(packed.rest), everything).load()


def write_mapped(value: Any, path: Path) -> MappedTensors:
    """Write the tensors of an object into a new file, as they lie in memory.

    Tensors that share memory share it in the file too. Those on other devices are written as they
    are on the CPU.

    Raises:
        OSError: Where the file cannot be written. What pickling raises is raised too.
    """
    with path.open("xb") as file:
        rest = io.BytesIO()
        _Writer(rest, file).dump(value)
    return MappedTensors(path, rest.getvalue())


def read_mapped(mapped: MappedTensors) -> Any:
    """Return the object, its tensors mapped from the file; writes change this copy alone."""
    size = mapped.path.stat().st_size
    everything = torch.empty(0, dtype=torch.uint8)
    if size:  # private: pages are shared until something writes into them
        everything = torch.from_file(str(mapped.path), shared=False, size=size, dtype=torch.uint8)
    return _Reader(io.BytesIO(mapped.rest), everything).load()


class _Writer(pickle.Pickler):
    def __init__(self, rest: io.BytesIO, file: BinaryIO) -> None:
        super().__init__(rest)
        self._file = file
        self._starts: dict[int, int] = {}  # of storages, by their address
        self._alive: list[Tensor] = []  # so that no address is used again

    def persistent_id(self, value: Any) -> TensorPlace | None:
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

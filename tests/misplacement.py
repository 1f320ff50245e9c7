"""Tensors that begin at a chosen distance behind a boundary of memory, and files of such."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from netstitch.files import alignment
from netstitch.files.alignment import ALIGNMENT, SWITCH

OFFSETS = tuple(range(0, ALIGNMENT, 4))
"""All at which a number of four bytes can begin."""


def misplaced(tensor: Tensor, offset: int) -> Tensor:
    """An equal tensor of equal strides that begins so many bytes behind a boundary."""
    size = tensor.untyped_storage().nbytes()
    memory = torch.empty(size + ALIGNMENT, dtype=torch.uint8)
    start = (offset - memory.data_ptr()) % ALIGNMENT
    storage = memory.untyped_storage()[start : start + size]
    found = torch.empty(0, dtype=tensor.dtype)
    found.set_(storage, 0, tensor.shape, tensor.stride())
    assert not size or found.data_ptr() % ALIGNMENT == offset
    return found.copy_(tensor.detach())


def misplace_file(path: Path, offset: int) -> None:
    """Let the tensors of a safetensors file begin so many bytes behind a boundary."""
    content = path.read_bytes()
    header = content[8 : 8 + int.from_bytes(content[:8], "little")].rstrip(b" ")
    header += b" " * ((offset - 8 - len(header)) % ALIGNMENT)
    rest = content[8 + int.from_bytes(content[:8], "little") :]
    path.write_bytes(len(header).to_bytes(8, "little") + header + rest)


def write_misplaced(monkeypatch: pytest.MonkeyPatch, offset: int) -> None:
    """Let all that netstitch writes from now on begin tensors so many bytes behind a boundary."""
    monkeypatch.setenv(SWITCH, "1")
    monkeypatch.setattr(alignment, "OFF", offset)

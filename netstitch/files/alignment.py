"""Aligning the memory of tensors to 64 bytes, so that equal numbers give equal results.

On processors with AVX-512 the last bits of matrix products and convolutions depend on where their
operands begin. What PyTorch allocates is aligned; what is mapped from a file, comes from numpy, or
is a part of a batch may begin anywhere. So whatever takes part in a computation goes through
`aligned` where it enters, and the interpreters of graphs check that (`assert_aligned`).

For developers: with NETSTITCH_MISALIGN=1 in the environment, all that netstitch writes tensors
into (safetensors, arrays of decoded images, files that processes map, what is sent to Ray) begins
them 4 bytes off a boundary. Results must not change by that, and `.ci/run` runs tests with it.
This module alone reads the variable, each time that something is written.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import safetensors
import torch
from torch import Tensor, nn

ALIGNMENT = 64
"""Bytes; as PyTorch aligns what it allocates, and as wide as the widest registers."""

SWITCH = "NETSTITCH_MISALIGN"
"""The environment variable, for tests, that makes writers begin tensors off a boundary."""

OFF = 4
"""Bytes, by which writers miss a boundary then."""

_LENGTH = 8
"""Bytes that say how long the header is, before it."""


def is_aligned(tensor: Tensor) -> bool:
    """Return whether a tensor is aligned, or has no memory here that could be.

    The latter are on other devices, sparse, or stand for others while a program is traced.
    """
    if torch.compiler.is_compiling() or not isinstance(tensor, Tensor):
        return True
    if tensor.device.type != "cpu" or tensor.layout != torch.strided:
        return True
    try:
        return tensor.data_ptr() % ALIGNMENT == 0
    except RuntimeError:  # within transforms such as torch.func.vmap
        return True


def aligned(tensor: Tensor) -> Tensor:
    """Return the tensor where it is aligned, else a copy of its layout; gradients pass through."""
    return tensor if is_aligned(tensor) else tensor.clone()


def aligned_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights by key, each aligned; parameters stay parameters."""
    return {key: _aligned_weight(tensor) for key, tensor in weights.items()}


def _aligned_weight(tensor: Tensor) -> Tensor:
    if is_aligned(tensor) or not isinstance(tensor, nn.Parameter):
        return aligned(tensor)
    return nn.Parameter(aligned(tensor.detach()), requires_grad=tensor.requires_grad)


def assert_aligned(tensors: Iterable[Tensor], what: str) -> None:
    """Raise AssertionError, naming `what` they are, unless all tensors are aligned."""
    for tensor in tensors:
        if not is_aligned(tensor):
            raise AssertionError(
                f"{what}: a tensor of shape {tuple(tensor.shape)} begins "
                f"{tensor.data_ptr() % ALIGNMENT} bytes behind a boundary of {ALIGNMENT}; expected "
                "what netstitch.files.alignment.aligned gives"
            )


def padding(position: int) -> int:
    """Return the bytes that a writer leaves free before a tensor that would begin at `position`."""
    off = OFF if os.environ.get(SWITCH, "") not in ("", "0") else 0
    return (off - position) % ALIGNMENT


def placed(content: bytes) -> bytes:
    """Return the content of a safetensors file with the first tensor aligned.

    The header is filled with spaces; the format allows no gaps between tensors.
    """
    behind = _LENGTH + int.from_bytes(content[:_LENGTH], "little")
    spaces = padding(behind)
    length = (behind - _LENGTH + spaces).to_bytes(_LENGTH, "little")
    return b"".join((length, content[_LENGTH:behind], b" " * spaces, content[behind:]))


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors of a safetensors file by key, aligned, and the text in its header.

    They are copied one by one out of the mapped file, so that no more memory is needed than they
    take. Whatever safetensors raises is passed on.
    """
    with safetensors.safe_open(path, framework="pt") as file:
        tensors = {key: aligned(file.get_tensor(key)) for key in file.keys()}  # noqa: SIM118
        return tensors, dict(file.metadata() or {})

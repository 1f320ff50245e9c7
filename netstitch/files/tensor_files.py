"""Reading and writing safetensors files so that their tensors are aligned."""

from pathlib import Path

import safetensors
from torch import Tensor

from netstitch.files.alignment import aligned, padding

_LENGTH = 8
"""Bytes that say how long the header is, before it."""


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

"""safetensors files are written with tensors on a boundary, and read from any place."""

from pathlib import Path

import pytest
import torch
from misplacement import OFFSETS, misplace_file
from safetensors import safe_open
from safetensors.torch import load_file, save

from netstitch.files.alignment import SWITCH, is_aligned, placed, read_tensors

TENSORS = {
    "matrix": torch.rand(5, 3),
    "counter": torch.tensor(7),
    "half": torch.rand(3).bfloat16(),
    "empty": torch.zeros(0, 4),
}


@pytest.mark.parametrize("offset", OFFSETS)
def test_tensors_are_aligned_wherever_they_are_in_the_file(tmp_path: Path, offset: int) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(save(TENSORS, metadata={"a": "b"}))
    misplace_file(path, offset)
    found, about = read_tensors(path)
    assert about == {"a": "b"}
    assert found.keys() == TENSORS.keys()
    for key, tensor in found.items():
        assert is_aligned(tensor)
        assert tensor.dtype == TENSORS[key].dtype
        assert torch.equal(tensor, TENSORS[key])


@pytest.mark.parametrize(("switch", "off"), [("", 0), ("1", 4)])
def test_other_readers_read_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: str, off: int
) -> None:
    monkeypatch.setenv(SWITCH, switch)
    path = tmp_path / "x.safetensors"
    content = placed(save({"one": torch.arange(3.0)}, metadata={"a": "b"}))
    path.write_bytes(content)
    assert (8 + int.from_bytes(content[:8], "little")) % 64 == off
    assert torch.equal(load_file(path)["one"], torch.arange(3.0))
    with safe_open(path, "numpy") as file:
        assert file.metadata() == {"a": "b"}

"""Objects whose tensors are in a file come back as they were."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from misplacement import OFFSETS, misplaced, write_misplaced
from torch import nn

from netstitch.evaluation.shared_tensors import SharedTensors, load_shared, share
from netstitch.files.alignment import ALIGNMENT, SWITCH, is_aligned

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool)


def through(value: Any, folder: Path) -> Any:
    path = folder / "tensors"
    path.unlink(missing_ok=True)
    return load_shared(share(value, path))


@given(
    st.lists(st.integers(0, 4), max_size=4),
    st.sampled_from(DTYPES),
    st.randoms(use_true_random=False),
)
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_values_and_layouts_are_kept(
    tmp_path: Path, shape: list[int], dtype: torch.dtype, random: Any
) -> None:
    tensor = (torch.rand(shape) * 100).to(dtype)
    order = random.sample(range(len(shape)), len(shape))
    given_ = {"plain": tensor, "permuted": tensor.permute(order), "nothing": None}
    found = through(given_, tmp_path)
    for name in ("plain", "permuted"):
        assert torch.equal(found[name], given_[name])
        assert found[name].dtype == dtype
        assert found[name].stride() == given_[name].stride()
    assert found["nothing"] is None


def test_channels_last_stays_so(tmp_path: Path) -> None:
    image = torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last)
    assert through(image, tmp_path).is_contiguous(memory_format=torch.channels_last)


def test_views_share_memory_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    whole = torch.arange(48.0).reshape(3, 16)  # each row begins on a boundary of memory
    found, part = through((whole, whole[1:, :2]), tmp_path)
    part[0, 0] = -1
    assert found[1, 0] == -1


def test_views_off_a_boundary_of_memory_are_copied(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    found, part = through((whole, whole[1:, 2:]), tmp_path)
    assert is_aligned(found)
    assert is_aligned(part)
    assert torch.equal(part, whole[1:, 2:])


@pytest.mark.parametrize("offset", OFFSETS)
def test_what_was_off_a_boundary_of_memory_is_on_one_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    """So workers map large arrays of numpy, and copy none of them."""
    monkeypatch.delenv(SWITCH, raising=False)
    tensor = misplaced(torch.rand(100), offset)
    mapped = share((torch.ones(1), tensor), tmp_path / "tensors")
    start = (tmp_path / "tensors").read_bytes().find(tensor.numpy().tobytes())
    assert start > 0
    assert start % ALIGNMENT == 0
    _, found = load_shared(mapped)
    found[0] = -1  # into the mapped page, and not the file
    assert torch.equal(load_shared(mapped)[1], tensor)


@pytest.mark.parametrize("offset", OFFSETS)
def test_tensors_are_aligned_wherever_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    write_misplaced(monkeypatch, offset)
    value = {dtype: (torch.rand(5, 3) * 100).to(dtype) for dtype in DTYPES}
    value |= {"part": value[torch.float32][1:], "weight": nn.Parameter(torch.rand(3))}
    sent = share(value)
    assert not isinstance(sent.content, Path)
    shifted = SharedTensors(misplaced(torch.from_numpy(sent.content), offset).numpy(), sent.rest)
    for found in (through(value, tmp_path), load_shared(sent), load_shared(shifted)):
        for name, tensor in value.items():
            assert is_aligned(found[name])
            assert torch.equal(found[name], tensor)
            assert isinstance(found[name], nn.Parameter) == isinstance(tensor, nn.Parameter)


def test_modules_are_modules_again(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).eval().requires_grad_(False)
    found = through(module, tmp_path)
    assert isinstance(found[0].weight, nn.Parameter)
    x = torch.rand(5, 3)
    assert torch.equal(found(x), module(x))


def test_tensors_are_in_the_file_and_what_changes_them_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    tensor = torch.rand(1000)
    mapped = share({"a": tensor}, tmp_path / "tensors")
    assert (tmp_path / "tensors").stat().st_size == 4000
    assert len(mapped.rest) < 1000
    load_shared(mapped)["a"].zero_()
    assert torch.equal(load_shared(mapped)["a"], tensor)


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "tensors").write_text("mine")
    with pytest.raises(FileExistsError):
        share(1, tmp_path / "tensors")

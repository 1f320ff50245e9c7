"""Objects whose tensors are in a file come back as they were."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from netstitch.evaluation.mapped import read_mapped, write_mapped

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool)


def through(value: Any, folder: Path) -> Any:
    path = folder / "tensors"
    path.unlink(missing_ok=True)
    return read_mapped(write_mapped(value, path))


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


def test_views_share_memory_as_before(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    found, part = through((whole, whole[1:, 2:]), tmp_path)
    part[0, 0] = -1
    assert found[1, 2] == -1


def test_modules_are_modules_again(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).eval().requires_grad_(False)
    found = through(module, tmp_path)
    assert isinstance(found[0].weight, nn.Parameter)
    x = torch.rand(5, 3)
    assert torch.equal(found(x), module(x))


def test_tensors_are_in_the_file_and_what_changes_them_is_not(tmp_path: Path) -> None:
    tensor = torch.rand(1000)
    mapped = write_mapped({"a": tensor}, tmp_path / "tensors")
    assert mapped.path.stat().st_size == 4000
    assert len(mapped.rest) < 1000
    read_mapped(mapped)["a"].zero_()
    assert torch.equal(read_mapped(mapped)["a"], tensor)


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "tensors").write_text("mine")
    with pytest.raises(FileExistsError):
        write_mapped(1, tmp_path / "tensors")

"""Tensors to compute with begin on a boundary of memory, and are otherwise unchanged."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from misplacement import OFFSETS, misplaced
from torch import nn

from netstitch.files.alignment import (
    ALIGNMENT,
    SWITCH,
    aligned,
    aligned_weights,
    assert_aligned,
    is_aligned,
    padding,
)

DTYPES = (torch.float32, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool)


@given(
    st.lists(st.integers(0, 4), max_size=4),
    st.sampled_from(DTYPES),
    st.sampled_from(OFFSETS),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=100)
def test_a_copy_is_made_only_where_it_is_needed_and_laid_out_alike(
    shape: list[int], dtype: torch.dtype, offset: int, random: Any
) -> None:
    order = random.sample(range(len(shape)), len(shape))
    tensor = misplaced((torch.rand(shape) * 100).to(dtype).permute(order), offset)
    found = aligned(tensor)
    assert is_aligned(found)
    assert (found is tensor) == is_aligned(tensor)
    assert torch.equal(found, tensor)
    assert (found.dtype, found.stride()) == (tensor.dtype, tensor.stride())


def test_one_channel_and_one_sample_keep_the_layout_that_their_strides_say() -> None:
    for shape in ((1, 3, 4, 5), (2, 1, 4, 5), (1, 1, 4, 5), (3, 2, 1, 1)):
        last = torch.rand(shape).to(memory_format=torch.channels_last)
        for tensor in (torch.rand(shape), last):
            assert aligned(misplaced(tensor, 4)).stride() == tensor.stride()


def test_what_is_allocated_is_aligned() -> None:
    assert all(is_aligned(torch.empty(size)) for size in range(100))


def test_gradients_pass_and_parameters_stay_what_they_are() -> None:
    leaf = misplaced(torch.rand(3), 8).requires_grad_()
    aligned(leaf).sum().backward()
    assert leaf.grad is not None
    frozen = nn.Parameter(misplaced(torch.rand(3), 8), requires_grad=False)
    there = nn.Parameter(torch.rand(3))
    found = aligned_weights({"frozen": frozen, "there": there, "buffer": misplaced(frozen, 12)})
    assert found["there"] is there
    assert isinstance(found["frozen"], nn.Parameter)
    assert not found["frozen"].requires_grad
    assert not isinstance(found["buffer"], nn.Parameter)
    assert all(map(is_aligned, found.values()))


def test_what_has_no_memory_here_counts_as_aligned() -> None:
    assert is_aligned(torch.rand(3, device="meta"))
    assert is_aligned(torch.rand(3, 3).to_sparse())

    class Plain(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return aligned(x) + 1

    assert torch.export.export(Plain(), (torch.rand(3),)).module()(torch.zeros(3)).sum() == 3
    assert torch.func.vmap(Plain())(torch.zeros(2, 3)).sum() == 6


def test_the_assertion_says_what_is_where() -> None:
    assert_aligned([torch.rand(3)], "the batch")
    with pytest.raises(AssertionError, match=r"the batch: .*\(5,\) begins 12 bytes behind"):
        assert_aligned([misplaced(torch.rand(5), 12)], "the batch")


def test_writers_pad_to_a_boundary_or_with_the_switch_to_four_bytes_behind_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for value, off in (("", 0), ("0", 0), ("1", 4)):
        monkeypatch.setenv(SWITCH, value)
        assert {(at + padding(at)) % ALIGNMENT for at in range(200)} == {off}
        assert max(map(padding, range(200))) < ALIGNMENT

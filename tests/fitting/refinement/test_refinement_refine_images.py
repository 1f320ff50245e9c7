"""Images are split once, read once, and drawn from a stream that can be entered anywhere."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from refinement_examples import batches

from netstitch.errors import FittingError
from netstitch.fitting.refinement.refine_images import Examples, ImageParts, read_parts


def numbers(count: int) -> torch.Tensor:
    """Images that are their number."""
    return torch.arange(float(count))[:, None]


def parts_of(count: int, size: int, holdout: float = 0.25, **settings: Any) -> ImageParts:
    given_batches = [(each, each.long()) for each in numbers(count).split(size)]
    return read_parts(
        given_batches, **({"holdout": holdout, "memory_budget": 10**9, "labels": True} | settings)
    )


@given(st.integers(20, 90), st.integers(1, 90), st.sampled_from([0.125, 0.25, 0.5, 0.3]))
def test_no_image_is_in_two_parts_however_they_come(count: int, size: int, holdout: float) -> None:
    if count * holdout < 5:
        return
    parts, whole = parts_of(count, size, holdout), parts_of(count, count, holdout)
    seen: list[float] = []
    for part, same in (
        (parts.train, whole.train),
        (parts.choose, whole.choose),
        (parts.report, whole.report),
    ):
        assert torch.equal(part.inputs, same.inputs)
        assert part.labels is not None
        assert torch.equal(part.inputs.long(), part.labels)
        seen += part.inputs.flatten().tolist()
    assert sorted(seen) == list(range(count))
    assert abs(len(parts.choose) - len(parts.report)) <= 1
    assert len(parts.choose) + len(parts.report) == int(count * holdout)


@given(st.integers(0, 200), st.integers(1, 60), st.integers(0, 3))
def test_the_stream_can_be_entered_anywhere(position: int, size: int, seed: int) -> None:
    parts = parts_of(40, 40)
    whole = parts.draw(300, 0, seed).inputs
    assert torch.equal(whole[position : position + size], parts.draw(size, position, seed).inputs)
    every = len(parts.train)
    for begin in (0, every, 2 * every):  # each pass holds each image once
        assert sorted(whole[begin : begin + every].tolist()) == sorted(parts.train.inputs.tolist())
    assert not torch.equal(whole[:every], whole[every : 2 * every])


@given(st.integers(0, 50), st.integers(1, 60))
def test_batches_are_about_equal_and_never_larger_than_asked_for(count: int, size: int) -> None:
    lengths = [len(each) for each in Examples(numbers(count)).batches(size)]
    assert sum(lengths) == count
    assert all(0 < length <= size for length in lengths)
    assert not lengths or max(lengths) - min(lengths) <= 1


def test_some_images_spread_evenly() -> None:
    assert Examples(numbers(9)).spread(3).inputs.flatten().tolist() == [0, 4, 8]
    assert len(Examples(numbers(9)).spread(20)) == 9
    assert len(Examples(numbers(9)).first(20)) == 9


def test_images_that_do_not_fit_into_memory_are_counted() -> None:
    parts = parts_of(80, 20, memory_budget=2 * 20 * 4, labels=False)
    assert parts.left_out == 40
    assert len(parts.train) + len(parts.choose) + len(parts.report) == 40
    assert parts.train.labels is None
    assert parts_of(80, 20, memory_budget=1).left_out == 60  # the first ones are always kept


@pytest.mark.parametrize(
    "given_batches, settings, message",
    [
        ([], {}, "the batches hold no samples: give at least one batch"),
        ([torch.zeros(0, 2)], {}, "the batches hold no samples"),
        ([numbers(8)], {}, "hold 8 samples: measuring errors on 0.125 of them takes"),
        ([numbers(64)], {"labels": True}, "batch 1 holds no labels for its 64 inputs: give"),
        ([(numbers(64), numbers(3))], {"labels": True}, "batch 1 holds no labels for its 64"),
        ([numbers(64), numbers(64).log()], {}, "batch 2 holds NaN or infinity"),
        ([numbers(64), torch.zeros(8, 3)], {}, r"batch 2 holds inputs of shape \(3,\), those bef"),
        (
            [(numbers(64), numbers(64)), (numbers(8), torch.zeros(8, 3))],
            {"labels": True},
            "labels of the batches do not go together",
        ),
        ([numbers(64).long()], {}, "batch 1 has dtype int64"),
        ([["a"]], {}, "batch 1 is a str"),
    ],
)
def test_batches_that_cannot_be_used(
    given_batches: Any, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(FittingError, match=message) as found:
        read_parts(
            given_batches,
            **({"holdout": 0.125, "memory_budget": 10**9, "labels": False} | settings),
        )
    assert "\n" not in str(found.value)


def test_data_loaders_are_read_once() -> None:
    parts = read_parts(iter(batches()), holdout=0.125, memory_budget=10**9, labels=True)
    assert (len(parts.train), len(parts.choose), len(parts.report)) == (84, 6, 6)

"""Samples that are in two parts, or have two labels."""

import pytest
import torch

from netstitch.tasks import Samples
from netstitch.tasks.datasets.overlap import overlaps

WIDE = (3, 40, 40)  # more than is looked at first


def noise(count: int, seed: int, shape: tuple[int, ...] = WIDE) -> torch.Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))


def samples(inputs: torch.Tensor, labels: torch.Tensor | None = None) -> Samples:
    numbers = torch.zeros(len(inputs), dtype=torch.int64) if labels is None else labels
    return Samples(inputs, numbers)


def test_parts_without_common_samples_are_not_told() -> None:
    parts = {"training": samples(noise(20, 0)), "test": samples(noise(9, 1))}
    assert overlaps(parts) == []
    assert overlaps({"validation": parts["test"]}) == []


@pytest.mark.parametrize("shape", [WIDE, (2,)])
def test_the_same_samples_are_counted(shape: tuple[int, ...]) -> None:
    all_of_them = noise(20, 0, shape)
    parts = {
        "training": samples(all_of_them),
        "validation": samples(torch.cat([noise(5, 1, shape), all_of_them[7:10]])),
        "test": samples(all_of_them[8:].flip(0)),
    }
    (said,) = overlaps(parts)
    assert "3 of 8 validation samples are also training samples" in said
    assert "12 of 12 test samples are also training samples" in said
    assert "2 of 12 test samples are also validation samples" in said


def test_inputs_that_differ_somewhere_are_others() -> None:
    """Also where what is looked at first is the same."""
    one = noise(4, 0)
    for place in (0, -1):
        other = one.clone()
        other.flatten(1)[:, place] += 1.0
        assert overlaps({"training": samples(one), "test": samples(other)}) == []


def test_how_inputs_lie_in_memory_is_no_matter() -> None:
    one = noise(4, 0)
    turned = one.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    (said,) = overlaps({"training": samples(one), "test": samples(turned)})
    assert "4 of 4 test samples" in said


def test_equal_inputs_with_other_labels_are_counted() -> None:
    inputs = noise(6, 0)
    inputs[5] = inputs[0]
    labels = torch.tensor([0, 1, 1, 0, 0, 1])
    (said,) = overlaps({"validation": samples(inputs, labels)})
    assert said.startswith("2 samples are equal to others that have another label, such as labels")
    labels[5] = 0
    assert overlaps({"validation": samples(inputs, labels)}) == []
    maps = torch.zeros(6, 40, 40, dtype=torch.uint8)
    assert overlaps({"validation": Samples(inputs, maps)}) == []


def test_blank_images_are_not_told_of() -> None:
    blank = torch.tensor([0.1, 0.2, 0.3])[:, None, None].expand(3, 40, 40)
    inputs = torch.cat([noise(4, 0), blank[None], blank[None]])
    labels = torch.tensor([0, 1, 0, 1, 0, 1])
    parts = {"training": samples(inputs, labels), "test": samples(inputs[4:], labels[4:])}
    assert overlaps(parts) == []
    (said,) = overlaps({**parts, "test": samples(inputs[3:], labels[3:])})
    assert "1 of 3 test samples are also training samples" in said

"""Sums by confidence against counting samples one by one, and against torchmetrics."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics.classification import MulticlassCalibrationError

from netstitch.analysis.calibration import Calibration
from netstitch.tasks import Classification, Samples, Segmentation
from netstitch.tasks.task_outputs import BINS, reliability


def calibration(sums: Tensor) -> Calibration:
    counts, confidences, right = sums.T.tolist()
    return Calibration(tuple(map(int, counts)), tuple(confidences), tuple(map(int, right)))


def counted(logits: Tensor, labels: Tensor, count: int) -> float:
    """The error over so many bins by its definition, a sample at a time."""
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(count)]
    for row, label in zip(logits, labels.tolist(), strict=True):
        probabilities = row.softmax(0)
        sure, found = probabilities.max().item(), int(probabilities.argmax())
        place = next(i for i in range(count) if sure <= (i + 1) / count or i == count - 1)
        bins[place].append((sure, found == label))
    error = 0.0
    for members in bins:
        if members:
            accuracy = sum(right for _, right in members) / len(members)
            confidence = sum(sure for sure, _ in members) / len(members)
            error += len(members) / len(labels) * abs(accuracy - confidence)
    return error


@given(
    seed=st.integers(0, 2**32),
    samples=st.integers(1, 60),
    classes=st.integers(2, 6),
    scale=st.sampled_from([0.1, 2.0, 30.0, 300.0]),
)
def test_the_error_is_that_of_a_direct_count(
    seed: int, samples: int, classes: int, scale: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(samples, classes, generator=generator)
    labels = torch.randint(0, classes, (samples,), generator=generator)
    found = calibration(reliability(logits, labels))
    assert sum(found.counts) == samples
    assert found.error == pytest.approx(counted(logits, labels, 15), abs=1e-6)
    assert found.error_of_ten_bins == pytest.approx(counted(logits, labels, 10), abs=1e-6)
    assert len(found.diagram) <= 15


def test_bins_that_are_not_of_a_tenth_tell_no_error_of_the_papers_bins() -> None:
    found = Calibration((0,) * 14 + (4,), (0.0,) * 14 + (3.8,), (0,) * 14 + (3,))
    assert found.error == pytest.approx(0.2)
    assert found.error_of_ten_bins is None
    assert Calibration((4, 0), (1.0, 0.0), (3, 0)).error == pytest.approx(0.5)


def test_it_is_torchmetrics_where_no_confidence_is_one() -> None:
    generator = torch.Generator().manual_seed(3)
    logits = 2 * torch.randn(500, 4, generator=generator)
    labels = torch.randint(0, 4, (500,), generator=generator)
    found = calibration(reliability(logits, labels))
    for bins, error in ((15, found.error), (10, found.error_of_ten_bins)):
        peer = MulticlassCalibrationError(num_classes=4, n_bins=bins, norm="l1")
        assert error == pytest.approx(float(peer(logits.softmax(1), labels)), abs=1e-5)


def test_a_confidence_of_one_is_in_the_last_bin() -> None:
    found = calibration(
        reliability(torch.tensor([[200.0, 0.0], [0.0, 200.0]]), torch.tensor([0, 0]))
    )
    assert found.counts == (0,) * (BINS - 1) + (2,)
    assert found.diagram == ((1.0, 0.5, 2),)
    assert found.error == 0.5


def test_pixels_that_do_not_count_do_not() -> None:
    maps = torch.tensor([[[0, 255], [1, 1]]], dtype=torch.uint8)
    task = Segmentation(validation=Samples(torch.zeros(1, 3, 2, 2), maps), classes=2)
    logits = torch.randn(1, 2, 2, 2, generator=torch.Generator().manual_seed(0))
    flat = logits[0].flatten(1).T[[0, 2, 3]]
    expected = reliability(flat, torch.tensor([0, 1, 1]))
    assert torch.equal(task.reliability(logits, maps), expected)


def test_a_task_tells_it_of_its_outputs() -> None:
    labels = torch.tensor([0, 1, 1])
    task = Classification(validation=Samples(torch.zeros(3, 2), labels), classes=2, output="out")
    logits = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
    assert torch.equal(task.reliability({"out": logits}, labels), reliability(logits, labels))

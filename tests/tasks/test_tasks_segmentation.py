"""Pixel accuracy and mean IoU against the slow way, void pixels left out."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from netstitch.errors import DataError
from netstitch.tasks import Classification, Samples, Segmentation

CLASSES = 4


def random_maps(seed: int, count: int = 3, void: float = 0.3) -> tuple[Tensor, Tensor]:
    """Logits (n, 4, 5, 6) and label maps (n, 5, 6), some pixels of which do not count."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, CLASSES, 5, 6, generator=generator)
    labels = torch.randint(CLASSES, (count, 5, 6), generator=generator)
    labels[torch.rand(count, 5, 6, generator=generator) < void] = 255
    return logits, labels.to(torch.uint8)


def task(labels: Tensor, **settings: Any) -> Segmentation:
    inputs = torch.zeros(len(labels), 3, *labels.shape[1:])
    return Segmentation(validation=Samples(inputs, labels), classes=CLASSES, **settings)


@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.3, 0.9, 1.0]))
@settings(deadline=None)
def test_measures_are_those_of_counting_pixel_by_pixel(seed: int, void: float) -> None:
    logits, labels = random_maps(seed, void=void)
    measured, found = task(labels), logits.argmax(1)
    shares, hits, unions = [], [0] * CLASSES, [0] * CLASSES
    for image in range(len(labels)):
        right = counted = 0
        for row in range(5):
            for column in range(6):
                label, own = int(labels[image, row, column]), int(found[image, row, column])
                if label == 255:
                    continue
                counted += 1
                right += own == label
                hits[label] += own == label
                for each in {label, own}:
                    unions[each] += 1
        shares.append(right / counted if counted else 1.0)
    correct = measured.correct(logits, labels)
    assert correct.tolist() == pytest.approx(shares, abs=1e-9)
    assert measured.accuracy(logits, labels) == pytest.approx(sum(shares) / len(shares), abs=1e-9)
    ratios = [hit / union for hit, union in zip(hits, unions, strict=True) if union]
    expected = sum(ratios) / len(ratios) if ratios else 1.0
    further = measured.further(measured.tally(logits, labels))
    assert further == {"mean IoU": pytest.approx(expected)}


def test_mean_iou_is_that_of_torchmetrics() -> None:
    classification = pytest.importorskip("torchmetrics.classification")
    logits, labels = random_maps(1, count=20)
    peer = classification.MulticlassJaccardIndex(CLASSES, ignore_index=255)
    measured = task(labels)
    found = measured.further(measured.tally(logits, labels))["mean IoU"]
    assert found == pytest.approx(float(peer(logits.argmax(1), labels.long())), abs=1e-6)


@given(st.integers(0, 2**31), st.permutations(range(6)))
@settings(deadline=None)
def test_shares_add_up_to_the_same_bits_in_any_order(seed: int, order: list[int]) -> None:
    logits, labels = random_maps(seed, count=6)
    measured = task(labels)
    shares = measured.correct(logits, labels)
    parts = [float(shares[order[:2]].sum()), float(shares[order[2:]].sum())]
    assert measured.accuracy_of(sum(parts), 6) == measured.accuracy(logits, labels)


def test_loss_is_that_of_the_pixels_that_count() -> None:
    logits, labels = random_maps(3)
    counts = labels != 255
    picked = logits.movedim(1, -1)[counts].log_softmax(1)
    expected = -picked.gather(1, labels[counts].long()[:, None]).mean()
    assert task(labels).loss(logits, labels) == pytest.approx(float(expected))
    assert task(labels).loss(logits, torch.full_like(labels, 255)) == 0


@pytest.mark.parametrize("ensemble", ["logits", "probabilities"])
def test_the_ensemble_averages_pixel_by_pixel(ensemble: Any) -> None:
    one, labels = random_maps(1)
    other, _ = random_maps(2)
    found = task(labels, ensemble=ensemble).combine([one, other], [0.25, 0.75])
    assert found.shape == one.shape
    flat = Classification(
        validation=Samples(torch.zeros(1, 2), torch.tensor([0])), classes=4, ensemble=ensemble
    )
    rows = [each.movedim(1, -1).reshape(-1, CLASSES) for each in (one, other)]
    expected = flat.combine(rows, [0.25, 0.75]).reshape(3, 5, 6, CLASSES).movedim(-1, 1)
    torch.testing.assert_close(found, expected)


def test_labels_and_outputs_that_do_not_fit() -> None:
    logits, labels = random_maps(1)
    wrong = labels.clone()
    wrong[1, 2, 3] = 7
    with pytest.raises(DataError, match="the label map of sample 1 has the class 7; expected 0"):
        task(wrong)
    numbers = Samples(torch.zeros(2, 3, 5, 6), torch.tensor([0, 1]))
    with pytest.raises(DataError, match="expected a class for each pixel"):
        Segmentation(validation=numbers, classes=4)
    maps = Samples(torch.zeros(3, 3, 5, 6), labels)
    with pytest.raises(DataError, match="or the kind 'segmentation'"):
        Classification(validation=maps, classes=4)
    other = Samples(torch.zeros(3, 3, 9, 9), labels)
    with pytest.raises(DataError, match=r"label maps have \(5, 6\) pixels and images \(9, 9\)"):
        Segmentation(validation=other, classes=4)
    with pytest.raises(DataError, match="expected \\(3, 4, 5, 6\\)"):
        task(labels).correct(logits[:, :3], labels)
    with pytest.raises(DataError, match="NaN or infinity"):
        task(labels).correct(logits * torch.inf, labels)

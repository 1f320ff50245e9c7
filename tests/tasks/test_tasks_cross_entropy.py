"""Scores by cross-entropy: what they are, and why evaluations by them may end early."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from netstitch.errors import DataError
from netstitch.tasks import Classification, CrossEntropyTask, Samples, Segmentation, from_maps
from netstitch.tasks.cross_entropy import WORST


def task(count: int = 8, classes: int = 3, seed: int = 0) -> Classification:
    torch.manual_seed(seed)
    labels = torch.randint(0, classes, (count,))
    return Classification(validation=Samples(torch.randn(count, 2), labels), classes=classes)


@given(seed=st.integers(0, 1000), scale=st.sampled_from([0.1, 1.0, 30.0]))
def test_the_score_is_the_geometric_mean_of_the_right_probabilities(
    seed: int, scale: float
) -> None:
    plain = task(seed=seed)
    labels = plain.validation.labels
    logits = scale * torch.randn(len(labels), 3)
    scored = CrossEntropyTask(plain)
    probabilities = logits.double().softmax(1)[torch.arange(len(labels)), labels]
    mean = math.exp(float(probabilities.log().mean()))
    assert scored.accuracy(logits, labels) == pytest.approx(mean, rel=1e-6)
    assert scored.loss(logits, labels) == plain.loss(logits, labels)
    values = scored.correct(logits, labels)
    parts = [values[i : i + 3].sum().item() for i in range(0, len(values), 3)]
    assert scored.accuracy_of(sum(parts), len(labels)) == scored.accuracy(logits, labels)


@given(seed=st.integers(0, 1000), seen=st.integers(0, 8))
def test_no_score_is_over_what_is_possible_after_some_samples(seed: int, seen: int) -> None:
    """As `Stopping.bound` counts: of those to come each may be right for sure, which is 1."""
    scored, labels = CrossEntropyTask(task(seed=seed)), task(seed=seed).validation.labels
    values = scored.correct(5 * torch.randn(8, 3), labels)
    possible = scored.accuracy_of(values[:seen].sum().item() + 8 - seen, 8)
    assert scored.accuracy_of(values.sum().item(), 8) <= possible <= 1


def test_what_is_sure_and_wrong_counts_a_bounded_amount() -> None:
    scored = CrossEntropyTask(task(2))
    logits = torch.full((2, 3), -1e30)
    labels = torch.tensor([0, 1])
    logits[:, 2] = 1e30
    assert scored.correct(logits, labels).tolist() == [1 - WORST, 1 - WORST]
    assert scored.accuracy(logits, labels) == 0.0


def test_maps_count_by_image_and_void_pixels_do_not() -> None:
    torch.manual_seed(0)
    maps = torch.randint(0, 3, (2, 4, 4))
    maps[0, :2], maps[1] = 255, 255
    maps[1, 0, 0] = 2
    plain = Segmentation(validation=from_maps(torch.rand(2, 3, 4, 4), maps), classes=3)
    logits = torch.randn(2, 3, 4, 4)
    each = [
        functional.cross_entropy(logits[i : i + 1], maps[i : i + 1], ignore_index=255)
        for i in range(2)
    ]
    found = plain.cross_entropy(logits, plain.validation.labels)
    torch.testing.assert_close(found, torch.stack(each).double(), rtol=1e-6, atol=1e-6)


def test_a_task_that_cannot_tell() -> None:
    class Counted(Classification):
        cross_entropy = None  # type: ignore[assignment]

    with pytest.raises(DataError, match="has no method cross_entropy"):
        CrossEntropyTask(Counted(validation=task().validation, classes=3))

"""Losses are the textbook's."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from netstitch.errors import FittingError
from netstitch.fitting.refinement.behaviour_losses import (
    against_labels,
    by_function,
    check_outputs,
    divergence,
)
from netstitch.networks import capture
from netstitch.networks.probabilities import probabilities_of


@given(st.integers(0, 1000), st.sampled_from([(5, 3), (4, 2, 3, 3)]))
def test_divergence_is_that_of_probabilities_pixel_by_pixel(
    seed: int, shape: tuple[int, ...]
) -> None:
    generator = torch.Generator().manual_seed(seed)
    ours, theirs = (torch.randn(shape, generator=generator).double() for _ in range(2))
    p, q = (x.movedim(1, -1).reshape(-1, shape[1]).softmax(1).tolist() for x in (theirs, ours))
    slow = [
        sum(a * math.log(a / b) for a, b in zip(one, other, strict=True))
        for one, other in zip(p, q, strict=True)
    ]
    assert divergence(ours, theirs).item() == pytest.approx(sum(slow) / len(slow))
    assert divergence(theirs, theirs).item() == pytest.approx(0)


def test_labels_are_compared_with_every_output() -> None:
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    one = against_labels({None: logits}, labels)
    slow = -sum(logits[i].log_softmax(0)[label] for i, label in enumerate(labels)) / 6
    torch.testing.assert_close(one, slow)
    torch.testing.assert_close(against_labels({"a": logits, "b": logits}, labels), 2 * one)
    with pytest.raises(FittingError, match=r"labels int64 \(2,\) do not fit outputs \(6, 3\)"):
        against_labels({None: logits}, labels[:2])


def test_functions_are_given_outputs_as_the_network_gives_them() -> None:
    logits, labels = torch.randn(6, 3), torch.zeros(6)
    assert by_function(lambda out, _: out.sum(), {None: logits}, labels) == logits.sum()
    assert by_function(lambda out, _: out["a"].sum(), {"a": logits}, labels) == logits.sum()


@pytest.mark.parametrize("ending", [nn.Softmax(1), nn.Sigmoid()])
def test_probabilities_are_no_logits(ending: nn.Module) -> None:
    network = capture(nn.Sequential(nn.Flatten(), nn.Linear(8, 3), ending), torch.randn(2, 2, 4))
    for loss in ("outputs", "labels"):
        with pytest.raises(FittingError, match="the output holds probabilities already"):
            check_outputs(loss, network.graph, probabilities_of(network))
    check_outputs(lambda outputs, labels: outputs.sum(), network.graph, probabilities_of(network))

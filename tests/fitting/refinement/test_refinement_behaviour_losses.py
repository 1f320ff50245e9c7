"""Losses are the textbook's; which layers come last is read off the graph."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from refinement_examples import maps, unfitted
from torch import nn

from netstitch.errors import FittingError
from netstitch.fitting.moments import MeanVariance
from netstitch.fitting.refinement.behaviour_losses import (
    against_labels,
    by_function,
    check_outputs,
    distance,
    distance_unit,
    divergence,
    last_layers,
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


@given(st.integers(0, 1000), st.integers(1, 9))
def test_the_unit_is_the_variance_however_it_is_gathered(seed: int, part: int) -> None:
    values = 3 + torch.randn(20, 4, 2, 2, generator=torch.Generator().manual_seed(seed))
    variance = MeanVariance()
    for each in values.split(part):
        variance.add(each.flatten(1))
    unit = distance_unit(variance)
    flat = values.flatten(1)
    assert unit == pytest.approx(flat.var(0, correction=0).sum().item(), rel=1e-5)
    # So the mean as a guess is one unit away.
    guess = flat.mean(0, keepdim=True).expand_as(flat)
    assert distance(guess, flat, unit).item() == pytest.approx(1, rel=1e-5)


def test_a_constant_teacher_is_measured_as_it_is() -> None:
    variance = MeanVariance()
    assert distance_unit(variance) == 1
    variance.add(torch.full((8, 3), 1e3))
    assert distance_unit(variance) == 1


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


def test_last_layers_are_those_before_the_outputs() -> None:
    def layers(supernet: object, name: str) -> list[str]:
        graph, _ = supernet.subnetwork_graph(supernet.genotype(name))  # type: ignore[attr-defined]
        return [graph.by_name[layer].name for layer in last_layers(graph)]

    assert [name.split("_")[0] for name in layers(unfitted(), "ensemble")] == ["wide", "deep"]
    assert len(layers(unfitted(keys=True), "ensemble")) == 4
    (head,) = layers(maps(), "maps3")
    assert "conv" in head or "head" in head


@pytest.mark.parametrize("ending", [nn.Softmax(1), nn.Sigmoid()])
def test_probabilities_are_no_logits(ending: nn.Module) -> None:
    network = capture(nn.Sequential(nn.Flatten(), nn.Linear(8, 3), ending), torch.randn(2, 2, 4))
    for loss in ("outputs", "labels"):
        with pytest.raises(FittingError, match="the output holds probabilities already"):
            check_outputs(loss, network.graph, probabilities_of(network))
    check_outputs("features", network.graph, probabilities_of(network))

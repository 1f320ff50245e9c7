"""Ensembles and weights of captured networks, by validation samples."""

from functools import cache

import pytest
import torch
from small_supernets import SIZE, Small, random_task
from torch import Tensor

import netstitch as ns
from netstitch.errors import SearchError, StitchingError
from netstitch.networks import Network
from netstitch.searching.ensemble_choice import fitted_weights, greedy_outputs
from netstitch.searching.greedy_ensembles import greedy_sets
from netstitch.stitching import Averaging
from netstitch.tasks import Task


@cache
def four(keys: bool) -> list[Network]:
    torch.manual_seed(7)
    example = torch.randn(2, 2, SIZE, SIZE)
    return [ns.capture(Small(w, keys=keys), example, name=f"net{w}") for w in (3, 4, 5, 6)]


def captured(count: int, keys: bool = False) -> list[Network]:
    return four(keys)[:count]


@pytest.mark.parametrize("keys", [False, True])
def test_sets_are_those_of_the_networks_outputs(keys: bool) -> None:
    networks, task = captured(4, keys), random_task(60, output="out" if keys else None)
    with torch.inference_mode():
        found = [network(task.validation.inputs) for network in networks]
    outputs = [one if isinstance(one, Tensor) else one["out"] for one in found]

    def accuracy(mean: Tensor) -> float:
        return float((mean.argmax(1) == task.validation.labels).double().mean())

    weights = (1.0, 2.0, 1.0, 0.5)
    costs = [float(network.multiply_adds) for network in networks]
    expected = greedy_sets(outputs, costs, accuracy, rule="logits", weights=weights)
    chosen = greedy_outputs(networks, task, Averaging("logits", weights))
    assert chosen == expected
    joined = ns.Supernet(networks, ns.match(*networks), outputs=chosen)
    assert joined.board.outputs == expected


def test_fitted_weights_lower_the_ensembles_cross_entropy() -> None:
    networks, task = captured(3), random_task(60)
    weights = fitted_weights(networks, task)
    with torch.inference_mode():
        outputs = [network(task.validation.inputs) for network in networks]
    losses = [task.loss(task.combine(outputs, w), task.validation.labels) for w in (weights, None)]
    equal = task.loss(task.combine(outputs, [1 / 3] * 3), task.validation.labels)
    assert losses[1] == pytest.approx(equal)
    assert losses[0] < equal


def test_a_task_without_cross_entropy_fits_no_weights() -> None:
    class Silent(Task):
        validation = random_task().validation
        combine = loss = accuracy = correct = None  # type: ignore[assignment]

    with pytest.raises(SearchError, match=r"a Silent has no cross_entropy.*give a list of weights"):
        fitted_weights(captured(2), Silent())


def test_weights_of_another_number_of_networks_are_refused() -> None:
    with pytest.raises(StitchingError, match="do not fit 3 networks"):
        greedy_outputs(captured(3), random_task(), Averaging("logits", (1.0, 2.0)))

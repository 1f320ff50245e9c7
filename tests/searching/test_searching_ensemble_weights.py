"""Weights of networks in ensembles, fitted to labels."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from netstitch.searching.ensemble_weights import fit_ensemble_weights
from netstitch.stitching.subgraph import Ensemble
from netstitch.tasks.task_outputs import average

LABELS = torch.tensor(np.random.default_rng(0).integers(0, 3, 400))


def outputs(*right: float) -> list[Tensor]:
    """Logits that are right so much, beside noise."""
    generator = torch.Generator().manual_seed(1)
    truth = functional.one_hot(LABELS, 3).float()
    return [truth * much + torch.randn(400, 3, generator=generator) for much in right]


def nats(mean: Tensor) -> Tensor:
    return functional.cross_entropy(mean, LABELS)


@pytest.mark.parametrize("rule", ["logits", "probabilities"])
def test_no_weights_on_a_grid_are_better(rule: Ensemble) -> None:
    given = outputs(1.5, 1.2, 0.5)
    weights = fit_ensemble_weights(given, nats, rule)
    assert sum(weights) == pytest.approx(1, abs=1e-5)
    assert all(weight > 0 for weight in weights)
    assert weights == sorted(weights, reverse=True)
    assert weights[0] < 0.95
    best = float(nats(average(given, weights, rule)))
    steps = np.linspace(0.01, 0.98, 30)
    grid = [(a, b, 1 - a - b) for a in steps for b in steps if a + b < 0.995]
    assert best < min(float(nats(average(given, each, rule))) for each in grid) + 1e-5


def test_equal_networks_have_equal_weights() -> None:
    (one,) = outputs(1.0)
    assert fit_ensemble_weights([one, one], nats, "logits") == [0.5, 0.5]

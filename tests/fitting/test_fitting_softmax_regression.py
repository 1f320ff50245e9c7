"""Softmax regression against slow, obvious twins: scikit-learn, and descent without preparation."""

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from netstitch.fitting import softmax_regression as module
from netstitch.fitting.softmax_regression import Regression, cross_entropies

N, FEATURES, CLASSES = 300, 8, 4
EXACT = 1e-9


def problem(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Features that depend on one another, at odd scales and places; and soft targets."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(N, FEATURES, generator=generator)
    features = features @ torch.randn(FEATURES, FEATURES, generator=generator) + 3
    logits = features @ torch.randn(FEATURES, CLASSES, generator=generator) / 3
    noise = torch.randn(N, CLASSES, generator=generator)
    return features, (logits - logits.mean(0) + noise).softmax(1)


def curvature(targets: Tensor) -> float:
    shares = targets.double().mean(0)
    return float((shares * (1 - shares)).mean())


def standardised(features: Tensor) -> Tensor:
    wide = features.double() - features.double().mean(0)
    return wide / wide.square().mean(0).sqrt()


@pytest.mark.parametrize("strength", [1.0, 0.1, 1e-2, 1e-3])
def test_soft_targets_as_descent_by_autograd_finds_them(strength: float) -> None:
    features, targets = problem()
    rows, penalty = standardised(features), strength * curvature(targets)
    weight = torch.zeros(FEATURES, CLASSES, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(CLASSES, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS(
        [weight, bias], max_iter=2000, tolerance_grad=1e-10, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        solver.zero_grad()
        nats = -(targets * (rows @ weight + bias).log_softmax(1)).sum(1).mean()
        total = nats + penalty / 2 * weight.square().sum()
        total.backward()
        return total

    solver.step(loss)
    expected = (rows @ weight + bias).detach().softmax(1).float()
    found = Regression(features, targets).solve(strength, tolerance=EXACT)
    assert found.logits(features).softmax(1).allclose(expected, atol=3e-3)


@pytest.mark.parametrize("strength", [0.1, 1e-2])
def test_classes_as_scikit_learn_finds_them(strength: float) -> None:
    features, targets = problem(1)
    labels = targets.argmax(1)
    hard = torch.nn.functional.one_hot(labels, CLASSES).float()
    # It penalises |w|^2 / 2 of the sum of losses.
    twin = LogisticRegression(C=1 / (N * strength * curvature(hard)), tol=1e-8, max_iter=5000)
    twin.fit(standardised(features).numpy(), labels.numpy())
    expected = torch.from_numpy(twin.predict_proba(standardised(features).numpy())).float()
    found = Regression(features, hard).solve(strength, tolerance=EXACT)
    assert found.logits(features).softmax(1).allclose(expected, atol=5e-3)


def test_a_start_nearby_leads_to_the_same_classifier() -> None:
    regression = Regression(*problem(2))
    features, _ = problem(2)
    near = regression.solve(0.03)
    alone = regression.solve(0.01, tolerance=EXACT)
    after = regression.solve(0.01, near, tolerance=EXACT)
    assert after.logits(features).softmax(1).allclose(alone.logits(features).softmax(1), atol=1e-3)
    again = regression.solve(0.01, alone, tolerance=EXACT)
    assert again.logits(features).softmax(1).allclose(alone.logits(features).softmax(1), atol=1e-3)


def test_features_that_do_not_vary_get_no_weight() -> None:
    features, targets = problem(3)
    regression = Regression(features, targets)
    constant = torch.cat([features, torch.full((N, 1), 0.1), torch.zeros(N, 1)], 1)
    found = Regression(constant, targets).solve(0.1)
    assert found.weight[FEATURES:].abs().max() == 0
    expected = regression.solve(0.1)
    assert found.logits(constant).allclose(expected.logits(features), atol=1e-2)


def test_more_features_than_samples_are_held_down_by_the_penalty() -> None:
    features, targets = problem(4)
    generator = torch.Generator().manual_seed(0)
    wide = torch.cat([features, torch.randn(N, 500, generator=generator)], 1)
    few = Regression(wide[:40], targets[:40])
    strong, weak = (few.solve(strength, tolerance=EXACT) for strength in (10.0, 1e-3))
    assert strong.weight.norm() < weak.weight.norm()
    nats = [float(cross_entropies(one, wide[:40], targets[:40]).mean()) for one in (strong, weak)]
    assert nats[0] > nats[1]


@pytest.mark.parametrize("many", [0, 100])
@pytest.mark.parametrize("fitted", [N, 20])
def test_it_does_not_matter_in_which_coordinates_weights_are_sought(
    many: int, fitted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Copies of features share a weight, so twice the penalty on them is the same classifier."""
    features, targets = (each[:fitted] for each in problem(6))
    own = Regression(features, targets).solve(0.1, tolerance=EXACT)
    expected = own.logits(features).softmax(1)
    monkeypatch.setattr(module, "MANY", many)
    several = torch.cat([features] * 4, 1)
    regression = Regression(several, targets)
    found = regression.solve(0.4, tolerance=EXACT)
    for each in (found, regression.solve(0.4, found)):
        assert each.logits(several).softmax(1).allclose(expected, atol=3e-3)


def test_cross_entropies_are_those_of_torch() -> None:
    features, targets = problem(5)
    found = Regression(features, targets).solve(0.1)
    expected = torch.nn.functional.cross_entropy(found.logits(features), targets, reduction="none")
    assert cross_entropies(found, features, targets).float().allclose(expected, atol=1e-5)

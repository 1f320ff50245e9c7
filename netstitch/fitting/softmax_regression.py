"""Softmax regression with soft targets: a linear map whose probabilities are those of a teacher.

The loss is convex. It is minimised by L-BFGS in coordinates in which it curves about alike in all
directions, so that tens of steps are enough, also for a thousand classes.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

STEPS, ROUND = 200, 4
"""Steps of L-BFGS at most, and those after each of which the loss is looked at."""

HISTORY = 10
"""Steps that L-BFGS knows the curvature from."""

TOLERANCE = 1e-3
"""The gain of a round, as a share of the loss, that ends them."""

MANY = 100
"""Classes, with more of which it is faster to have all samples in the coordinates of the search."""

CONSTANT = 1e-6
"""Deviation of a feature, relative to its mean, under which it is taken to be rounding."""

RAREST = 1e-9
"""Smaller shares of a class count as this one in the bias that is started from."""


@dataclass(frozen=True)
class LinearClassifier:
    """Logits as a linear map of features: weight (f, classes) and bias (classes,), float64."""

    weight: Tensor
    bias: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """Return (n, classes) float32 for features (n, f)."""
        return torch.addmm(self.bias.float(), features, self.weight.float())


class Regression:
    """Samples that linear classifiers are fitted on.

    Args:
        features: (n, f) float32.
        targets: Probabilities (n, classes), float32.
    """

    def __init__(self, features: Tensor, targets: Tensor) -> None:
        wide = features.double()
        self._mean = wide.mean(0)
        wide -= self._mean
        deviation = wide.square().mean(0).sqrt()
        varies = deviation > CONSTANT * self._mean.abs()
        self._scale = torch.where(varies, deviation, 1.0).reciprocal() * varies
        wide *= self._scale
        # Of weights, only what lies in the span of the rows matters: with fewer of these than
        # features, they are sought there.
        self._axes: Tensor | None = None
        if wide.shape[1] > len(wide):
            self._axes, triangle = torch.linalg.qr(wide.T)
            wide = triangle.T
        self._gram = wide.T @ wide / len(wide)
        self._rows = wide.float()
        self._targets = targets
        shares = targets.mean(0, dtype=torch.float64)
        self._first = shares.clamp(min=RAREST).log()
        self._curvature = float((shares * (1 - shares)).mean()) or 1.0

    def solve(
        self,
        strength: float,
        start: LinearClassifier | None = None,
        tolerance: float = TOLERANCE,
    ) -> LinearClassifier:
        """Return the classifier of about the least mean cross-entropy plus penalty.

        Args:
            strength: Of the penalty, which is this times half the sum of the squared weights of
                standardised features, in units of the loss's mean curvature: that of a class as
                common as it is.
            start: One nearby.
            tolerance: The gain of a few steps, as a share of the loss, that ends them.
        """
        size, count = len(self._gram), len(self._targets)
        factor = torch.linalg.cholesky(self._gram + strength * torch.eye(size).double())
        # With weights factor^-T u / root of standardised features, loss and penalty together curve
        # by about 1 in each direction.
        root = self._curvature**0.5
        inverse = torch.linalg.solve_triangular(factor, torch.eye(size).double(), upper=False)
        scaled = (inverse / root).float()
        rows = self._rows @ scaled.T if len(self._first) > MANY else None
        weight, bias = (nn.Parameter(each) for each in self._placed(start, factor))
        solver = torch.optim.LBFGS(
            [weight, bias],
            max_iter=ROUND,
            history_size=HISTORY,
            tolerance_grad=0,
            tolerance_change=0,
            line_search_fn="strong_wolfe",
        )

        def loss() -> Tensor:
            found: Tensor
            with torch.no_grad():
                linear = self._rows @ (scaled.T @ weight) if rows is None else rows @ weight
                logarithms = (linear + bias / root).log_softmax(1)
                found = -(self._targets * logarithms).sum(1, dtype=torch.float64).mean()
                # strength |factor^-T u|^2 is |u|^2 less what the rows say, which is at hand.
                seen = linear.square().sum(1, dtype=torch.float64).mean()
                found += (weight.double().square().sum() - self._curvature * seen) / 2
                residual = logarithms.exp_().sub_(self._targets)
                bias.grad = residual.mean(0) / root
                residual.sub_(linear, alpha=self._curvature)
                if rows is None:  # in the order that is faster with few classes
                    gradient = scaled @ (residual.T @ self._rows).T
                else:
                    gradient = rows.T @ residual
                weight.grad = gradient.div_(count).add_(weight)
                return found

        before = math.inf
        for _ in range(STEPS // ROUND):
            now = float(solver.step(loss))  # type: ignore[no-untyped-call]
            if before - now < tolerance * now:
                break
            before = now
        found = inverse.T @ weight.detach().double() / root
        found = self._scale[:, None] * (found if self._axes is None else self._axes @ found)
        return LinearClassifier(found, bias.detach().double() / root - self._mean @ found)

    def _placed(self, start: LinearClassifier | None, factor: Tensor) -> tuple[Tensor, Tensor]:
        """Return a classifier in the coordinates that it is sought in; by default the constant."""
        if start is None:
            weight, bias = torch.zeros(len(factor), len(self._first)), self._first
        else:
            bias = start.bias + self._mean @ start.weight
            varies = self._scale > 0
            scaled = start.weight / torch.where(varies, self._scale, 1.0)[:, None]
            scaled *= varies[:, None]
            weight = factor.T @ (scaled if self._axes is None else self._axes.T @ scaled)
        root = self._curvature**0.5
        return (weight * root).float(), (bias * root).float()


def working_bytes(count: int, features: int, classes: int) -> int:
    """Return about the bytes that fitting takes beside what it is given, at its peak."""
    size = min(count, features)
    rows, squares = count * (features + 2 * size), 4 * size * size
    steps = (2 * HISTORY + 6) * size * classes
    return 8 * (rows + squares) + 4 * (steps + 4 * count * classes)


def cross_entropies(found: LinearClassifier, features: Tensor, targets: Tensor) -> Tensor:
    """Return (n,) float64: the cross-entropy of each sample with its targets, in nats."""
    return -(targets * found.logits(features).log_softmax(1)).sum(1, dtype=torch.float64)

"""Weights of networks in the mean of their outputs, fitted to labels."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from netstitch.stitching.subgraph import Ensemble

Nats = Callable[[Tensor], Tensor]
"""Returns the mean cross-entropy of outputs, a scalar with a gradient."""
SPAN = 5.0
"""Weights are exp(v) for v in -SPAN to SPAN, so that none is zero."""
DIGITS = 6


def fit_ensemble_weights(outputs: Sequence[Tensor], nats: Nats, rule: Ensemble) -> list[float]:
    """Return positive weights, of sum 1, whose weighted mean has the least mean cross-entropy.

    The problem is convex in the weights, for logits as for probabilities: there is one minimum.

    Args:
        outputs: The outputs (n, classes, ...) of each network.
        nats: Gives the cross-entropy of a mean of outputs.
        rule: What is averaged, logits or probabilities.
    """

    def measure(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logarithms = torch.tensor(values, requires_grad=True)
        with torch.enable_grad():
            loss = nats(_mean(outputs, logarithms.softmax(0), rule))
            (gradient,) = torch.autograd.grad(loss, logarithms)
        return float(loss.detach()), gradient.numpy()

    count = len(outputs)
    bounds = [(-SPAN, SPAN)] * count
    found = minimize(measure, np.zeros(count), jac=True, method="L-BFGS-B", bounds=bounds)
    shares = torch.tensor(found.x).softmax(0)
    return [round(float(share), DIGITS) for share in shares]


def _mean(outputs: Sequence[Tensor], shares: Tensor, rule: Ensemble) -> Tensor:
    """Return the weighted mean as `average` does, with a gradient for the shares."""
    if rule == "logits":
        return sum((s * o for s, o in zip(shares, outputs, strict=True)), torch.zeros(()))
    logs = [o.log_softmax(1) + s.log() for s, o in zip(shares, outputs, strict=True)]
    return torch.logsumexp(torch.stack(logs), 0)

"""Confidence in an answer, and the temperature that makes it honest.

Guo et al. (2017), On Calibration of Modern Neural Networks, section 4.2: all logits are divided by
one number, fitted by negative log-likelihood on samples that the network was not trained on.
"""

from math import exp, log
from typing import get_args

import torch
from torch import Tensor

from netstitch.errors import DataError
from netstitch.stitching.cascade import Confidence

CONFIDENCES: tuple[Confidence, ...] = get_args(Confidence)
NUMBERS = 1_000_000
"""Logits that a temperature is fitted on, at most: a thousand samples of a thousand classes."""
LOWEST, HIGHEST = 0.02, 50.0
"""Temperatures are between these: where all is right, the likelihood has its best at 0."""
STEPS, CLOSE = 30, 1e-4


def sureness(probabilities: Tensor, kind: Confidence, before: Tensor | None = None) -> Tensor:
    """Return (n, ...) from 0 to 1 how sure probabilities (n, classes, ...) are of their class.

    Args:
        probabilities: They sum to 1 over classes.
        kind: See `netstitch.stitching.cascade.Confidence`.
        before: The probabilities that "agreement" is with.
    """
    sure: Tensor
    if kind == "probability":
        sure = probabilities.amax(1)
    elif kind == "margin":
        first, second = probabilities.topk(2, 1).values.unbind(1)
        sure = first - second
    elif kind == "entropy":
        nats = torch.special.entr(probabilities).sum(1)
        sure = (1 - nats / log(probabilities.shape[1])).clamp(0, 1)
    elif before is None:
        raise DataError(
            "agreement is of two outputs, and one was given; give the one before it too, or "
            "another confidence"
        )
    else:
        sure = (probabilities * before).sum(1)
    return sure


def fitted_on(samples: int, classes: int) -> Tensor:
    """Return indices of the samples that a temperature is fitted on, spread evenly."""
    rows = min(samples, max(1, NUMBERS // classes))
    return torch.arange(rows) * (samples - 1) // max(1, rows - 1)  # exact, of any number


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature with the least mean negative log-likelihood.

    That is convex in its inverse, of which this is Newton's method, kept between bounds.

    Args:
        logits: (n, classes).
        labels: (n,), class numbers.
    """
    if len(labels) == 0:
        return 1.0
    taken = fitted_on(*logits.shape)
    logits, labels = logits[taken], labels[taken]
    logits = logits.float() - logits.float().mean(1, keepdim=True)
    own = logits.gather(1, labels.long()[:, None])[:, 0].double().mean().item()
    low, high = 1 / HIGHEST, 1 / LOWEST
    inverse = 1.0
    for _ in range(STEPS):
        weights = (logits * inverse).softmax(1)
        weighted = weights * logits
        means = weighted.sum(1)
        slope = means.double().mean().item() - own
        if slope == 0:
            break
        # The slope rises with the inverse: the best lies where it is 0.
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        curvature = ((weighted * logits).sum(1) - means * means).double().mean().item()
        step = inverse - slope / curvature if curvature > 0 else -1.0
        # A step that leaves what is known to hold the best is halved into it.
        following = step if low < step < high else exp((log(low) + log(high)) / 2)
        if abs(following / inverse - 1) < CLOSE:
            break
        inverse = following
    return 1 / inverse

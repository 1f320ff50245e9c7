"""The linear map that best translates one feature set into another, from their moments."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from netstitch.fitting.moments import Moments

RESOLUTION = float(torch.finfo(torch.float32).eps)
"""Features come in float32: what varies by less than this share of its mean is rounding."""

RIDGE = 1e-4
"""Default of the ridge; docs/fitting.md says what it was measured beside."""


class LinearMap(NamedTuple):
    """An affine map on the CPU: weight (outputs, inputs) and bias (outputs,)."""

    weight: Tensor
    bias: Tensor


def solve(moments: Moments, source: int, targets: Sequence[int], ridge: float) -> list[LinearMap]:
    """Return, for each target, the map W x + b of least mean squared error plus a ridge on W.

    Minimises mean |y - W x - b|^2 + ridge v |W|^2 over the observations of `moments`, where v is
    the mean variance of the source's features, so that the ridge means the same at every scale of
    the features. The bias carries no ridge. Features that do not vary get weight 0, and where
    directions do not vary and there is no ridge, the shortest of the equally good maps is taken.

    The products of set `source` with itself are factorised once for all target sets.
    """
    inner = moments.product(source, source) / moments.count
    signal = inner.diagonal() > (RESOLUTION * moments.means[source]) ** 2
    invert = _inverse(inner * signal * signal[:, None], ridge, moments.resolution)
    maps = []
    for target in targets:
        cross = moments.product(source, target) / moments.count * signal[:, None]
        weight = invert(cross).T
        maps.append(LinearMap(weight, moments.means[target] - weight @ moments.means[source]))
    return maps


def _inverse(inner: Tensor, ridge: float, resolution: float) -> Callable[[Tensor], Tensor]:
    """Return a function that multiplies by (inner + ridge v I)^-1.

    `inner` is (n, n), symmetric and positive semidefinite, and v the mean of its diagonal. A ridge
    of `resolution` or more resolves every direction; without one, those with less than that share
    of the largest variance are left out.
    """
    strong = ridge >= resolution
    added = ridge * float(inner.diagonal().mean())
    regular = inner.clone()
    regular.diagonal().add_(added)
    factor, failed = torch.linalg.cholesky_ex(regular)
    # The squared pivot is the variance that a feature does not share with those before it.
    own = factor.diagonal() ** 2 / regular.diagonal()
    if not failed and (strong or own.min() > resolution):
        return lambda cross: torch.cholesky_solve(cross, factor)
    variances, directions = torch.linalg.eigh(inner)
    variances = variances.clamp_min(0) + added
    kept = variances > (0 if strong else resolution * variances.max())
    scale = torch.where(kept, 1 / torch.where(kept, variances, 1), 0)
    return lambda cross: directions @ (scale[:, None] * (directions.T @ cross))


def relative_error(
    moments: Moments, source: int, target: int, weight: Tensor, bias: Tensor
) -> float | None:
    """Return |y - W x - b|^2 / |y - mean y|^2 over the observations of `moments`, in closed form.

    The mean is that of the same observations, so 1 is the error of the best constant, and 1 minus
    the result is the coefficient of determination. Rounding of the products leaves an uncertainty
    of about 1e-5.

    None where the target does not vary. x is set `source` of the moments, and y set `target`;
    `weight` is W (outputs, inputs), and `bias` b (outputs,).
    """
    variance = float(moments.product(target, target).trace()) / moments.count
    if not varies(variance, moments.means[target]):
        return None
    weight, bias = weight.double(), bias.double()
    offset = moments.means[target] - weight @ moments.means[source] - bias
    explained = 2 * (weight.T * moments.product(source, target)).sum()
    fitted = ((weight @ moments.product(source, source)) * weight).sum()
    error = variance + float(fitted - explained) / moments.count + float(offset @ offset)
    return max(error, 0.0) / variance


def varies(variance: float, mean: Tensor) -> bool:
    """Return whether a variance, summed over features, is more than float32 rounding."""
    return variance > float(((RESOLUTION * mean) ** 2).sum())

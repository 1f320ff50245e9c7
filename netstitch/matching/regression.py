"""Held-out R^2 of the least-squares maps from one point's features to those of many others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Table = npt.NDArray[np.float64]

RESOLUTION = float(torch.finfo(torch.float32).eps)
"""Features come in float32: spread below this share of a feature's mean is rounding."""

LEAST_RIDGE = 1e-6
"""Of the source's mean variance: less does not resolve the float32 products."""


@dataclass(frozen=True)
class Targets:
    """Targets side by side, centred on the mean of what is fitted on.

    values: (rows, columns). starts: the first column of each target. spread: (targets,) squared
    held-out deviation from the held-out mean; 0 where it is rounding.
    """

    values: Tensor
    starts: npt.NDArray[np.intp]
    spread: Table

    @staticmethod
    def of(
        features: Sequence[Tensor], held: Tensor, projections: int | None, seed: int
    ) -> "Targets":
        generator = torch.Generator().manual_seed(seed)
        parts, spread = [], []
        for values in features:
            mean = values[~held].mean(0)
            centred = values - mean
            seen = float((centred[held] - centred[held].mean(0)).double().square().sum())
            rounding = float((RESOLUTION * mean.double()).square().sum()) * int(held.sum())
            width = values.shape[1]
            if projections is not None and width > projections:
                drawn = torch.randn(width, projections, generator=generator)
                axes = torch.linalg.qr(drawn).Q * (width / projections) ** 0.5
                centred = centred @ axes
                seen = float((centred[held] - centred[held].mean(0)).double().square().sum())
            parts.append(centred)
            spread.append(seen if seen > rounding else 0.0)
        starts = np.cumsum([0, *(part.shape[1] for part in parts[:-1])])
        return Targets(torch.cat(parts, 1), starts, np.array(spread))


def held_out_r2(source: Tensor, targets: Targets, held: Tensor, ridge: float) -> Table:
    """R^2 of the least-squares map from a source (rows, features) to each target: (targets,).

    Minus infinity where the target does not vary, 0 or less where the source does not.

    held: (rows,) which rows are measured on; the others are fitted on.
    """
    centred = source - source[~held].mean(0)
    fitted, measured = centred[~held], centred[held]
    known, wanted = targets.values[~held], targets.values[held]
    inner = (fitted.mT @ fitted).double()
    rounding = (RESOLUTION * source[~held].double().mean(0)).square().sum() * len(fitted)
    if inner.trace() > rounding:
        # Features that never vary are left as they are: the ridge gives them weight 0.
        inner.diagonal().add_(max(ridge, LEAST_RIDGE) * inner.diagonal().mean())
        factor = torch.linalg.cholesky(inner)
        weight = torch.cholesky_solve((fitted.mT @ known).double(), factor).float()
        wanted = wanted - measured @ weight
    left = np.add.reduceat(wanted.double().square().sum(0).numpy(), targets.starts)
    varies = targets.spread > 0
    return np.where(varies, 1 - left / np.where(varies, targets.spread, 1), -np.inf)

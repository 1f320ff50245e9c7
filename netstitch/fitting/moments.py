"""Streaming second moments of several feature sets that are seen on the same samples.

Least squares needs no features, only their means and centred products, and these can be gathered
batch by batch. Every batch is centred on its own mean before it is multiplied, and the batches are
merged by the update of Chan, Golub and LeVeque ("Updating Formulae and a Pairwise Algorithm for
Computing Sample Variances", 1979), so large offsets cost no digits.

The matrix products run in float32 and are summed over batches in float64. On a CPU that takes half
the time of float64 products, and the rounding, about 3e-6 of a feature's variance, stays far below
any ridge worth using; on most GPUs float64 products would be many times slower still.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor


def rows(features: Tensor, samples: Tensor) -> Tensor:
    """The chosen samples' features as a new float32 matrix, one row per position.

    features: (batch, features) or (batch, features, height, width); every position of a spatial
        point counts as an observation, since a stitch maps positions one by one.
    samples: indices into the batch, int64.
    Returns (observations, features), in memory of its own that may be overwritten. The order of
    the observations depends on the batch and on the size of the map only, never on the layout.
    """
    if features.dim() == 2:
        return features.index_select(0, samples).float()
    width = features.shape[1]
    if features.is_contiguous(memory_format=torch.channels_last):
        return features.permute(0, 2, 3, 1).index_select(0, samples).float().reshape(-1, width)
    # Positions stay the fastest axis: the transpose of a feature-major matrix costs nothing,
    # and matrix products take either layout.
    return features.transpose(0, 1).index_select(1, samples).float().reshape(width, -1).T


class Moments:
    """Count, means and centred products of feature sets, gathered batch by batch.

    widths: features of each set. pairs: the pairs of different sets whose products are kept;
    every set's products with itself are always kept. All is held in float64 on the CPU.

    count: observations so far. means: one (width,) tensor per set.
    """

    def __init__(self, widths: Sequence[int], pairs: Iterable[tuple[int, int]]) -> None:
        self.count = 0
        self.means = [torch.zeros(width, dtype=torch.float64) for width in widths]
        self._products = {
            (i, j): torch.zeros(widths[i], widths[j], dtype=torch.float64)
            for i, j in kept_products(len(widths), pairs)
        }

    def product(self, i: int, j: int) -> Tensor:
        """Centred products of sets i and j summed over the observations: (width i, width j)."""
        return self._products[i, j] if i <= j else self._products[j, i].T

    @property
    def finite(self) -> bool:
        """Whether all means and products are; a feature's own product bounds its others."""
        own = (self._products[i, i].diagonal() for i in range(len(self.means)))
        return all(bool(values.isfinite().all()) for values in (*self.means, *own))

    def add(self, sets: Sequence[Tensor]) -> None:
        """Take in a batch: per set (observations, width) in float32, which are overwritten."""
        count = sets[0].shape[0]
        if count == 0:
            return
        means = []
        for values in sets:
            centre = values.mean(0)
            values.sub_(centre)
            # The float32 mean is off by its rounding; what is left of it is found after
            # centring, where the values are small, and taken out of the products below.
            means.append((centre.cpu().double(), values.sum(0).cpu().double() / count))
        total = self.count + count
        shifts = [
            centre + rest - mean for (centre, rest), mean in zip(means, self.means, strict=True)
        ]
        for (i, j), product in self._products.items():
            product += (sets[i].T @ sets[j]).cpu()
            product.addr_(means[i][1], means[j][1], alpha=-count)
            product.addr_(shifts[i], shifts[j], alpha=self.count * count / total)
        for mean, shift in zip(self.means, shifts, strict=True):
            mean += shift * (count / total)
        self.count = total


def kept_products(sets: int, pairs: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Which products of `sets` feature sets are kept: every (i, i), and each pair as i < j."""
    return sorted({(i, i) for i in range(sets)} | {(min(pair), max(pair)) for pair in pairs})


def moments_bytes(widths: Sequence[int], pairs: Iterable[tuple[int, int]]) -> int:
    """Memory that `Moments` of these sets hold."""
    numbers = sum(widths[i] * widths[j] for i, j in kept_products(len(widths), pairs))
    return 8 * (numbers + sum(widths))

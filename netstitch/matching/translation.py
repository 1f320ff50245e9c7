"""How well a stitch can translate between two points, before there is any stitch.

The least-squares fit of one point's features to another's has a closed form, so every compatible
pair of two networks can be tried: for each layout, features are sampled at the same positions of
the same images, each source is factorised once, and all targets are solved for together. What
counts is R^2 on images that the fit has not seen.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from netstitch.errors import MatchingError
from netstitch.matching.grouping import by_layout, described, read_together
from netstitch.matching.regression import Table, Targets, held_out_r2
from netstitch.matching.sampling import device_of, first_inputs, sampled_features
from netstitch.networks.inputs import Batch
from netstitch.networks.network import Network
from netstitch.threads import fastest_threads

Progress = Callable[[int, int | None, str], None]
"""Called with what is done, the total where it is known, and a line of text."""

TIMED = 8
"""Inputs that the number of threads is measured with."""


@dataclass(frozen=True)
class Translations:
    """Held-out R^2 of the best stitches between all compatible points, both ways.

    a_to_b, b_to_a: (points of A, points of B) in the order of `graph.points`; the second is of the
        stitch that reads B. At most 1; 0 is the best constant; NaN where points are not compatible
        or were not asked for, and minus infinity where the target does not vary.
    """

    a_to_b: Table
    b_to_a: Table

    @property
    def mean(self) -> Table:
        """Of both ways, each no less than 0; 0 where it is not known."""
        both = np.stack([self.a_to_b, self.b_to_a])
        average: Table = np.where(np.isnan(both), 0.0, np.maximum(both, 0.0)).mean(0)
        return average


def stitchability(
    a: Network,
    b: Network,
    batches: Iterable[Batch],
    *,
    pairs: Iterable[tuple[str, str]] | None = None,
    images: int = 1_024,
    positions: int = 4_096,
    projections: int | None = 64,
    ridge: float = 1e-3,
    holdout: float = 0.25,
    seed: int = 0,
    memory_budget: int = 2_000_000_000,
    progress: Progress | None = None,
) -> Table:
    """What a match of two points is worth: (points of A, points of B), between 0 and 1.

    The held-out R^2 of the stitches of both directions, averaged, each no less than 0; see
    `translations`, which takes the same arguments and gives both. It can be given to `match` as
    its weights.
    """
    return translations(
        a,
        b,
        batches,
        pairs=pairs,
        images=images,
        positions=positions,
        projections=projections,
        ridge=ridge,
        holdout=holdout,
        seed=seed,
        memory_budget=memory_budget,
        progress=progress,
    ).mean


def translations(
    a: Network,
    b: Network,
    batches: Iterable[Batch],
    *,
    pairs: Iterable[tuple[str, str]] | None = None,
    images: int = 1_024,
    positions: int = 4_096,
    projections: int | None = 64,
    ridge: float = 1e-3,
    holdout: float = 0.25,
    seed: int = 0,
    memory_budget: int = 2_000_000_000,
    progress: Progress | None = None,
) -> Translations:
    """Held-out R^2 of the least-squares stitch between every two compatible points.

    R^2 is 1 - |y - W x - b|^2 / |y - mean y|^2, summed over the target's features, so a feature
    counts by its variance; W and b minimise the squared error plus the ridge, as in fitting.

    batches: inputs (n, ...), or tuples that start with them; labels are not used.
    pairs: names of points of A and of B; by default all compatible ones but outputs. Layouts
        without a pair are not computed.
    images: how many inputs are read at most; they are held in memory.
    positions: rows (positions of images) of each layout at least, where it has so many, and
        four for each feature of the widest point where that is more.
    projections: targets with more features than this are projected onto as many random orthogonal
        directions, which estimates both squared sums without bias at a cost that does not grow with
        the target's width. None for all features.
    ridge: relative to the mean variance of the source's features.
    holdout: share of the images that R^2 is measured on, evenly spread.
    seed: of the positions and projections.
    memory_budget: bytes for sampled features. Layouts that do not fit together are read one after
        the other, each time running both networks; of a layout that does not fit alone, fewer rows
        are read. The peak is about three times this.
    progress: called as layouts are read and sources solved.

    Cost, for n rows: each source takes n c^2 + c^3 / 3 multiply-adds once, and n c + c^2 for each
    (projected) feature of all targets.

    Raises MatchingError for settings out of range, for batches that are empty, too few, not finite
    or of another shape than the networks' input, and for features that are not finite.
    """
    _check(images, positions, projections, ridge, holdout, memory_budget)
    for network in (a, b):
        if not isinstance(network, Network):
            raise MatchingError(
                f"stitchability takes captured networks, got {type(network).__name__}: capture "
                "the model first, its features are needed"
            )
    shape = a.graph.input.shape or ()
    if shape != b.graph.input.shape:
        raise MatchingError(
            f"{a.name} and {b.name} take inputs of different shapes; capture both with the same "
            "example input"
        )
    inputs = first_inputs(batches, images, shape)
    _held_out(len(inputs), holdout)  # else it is known only after the first layout was read
    groups = by_layout(a, b, pairs, len(inputs), positions, memory_budget)
    index = [{n.name: i for i, n in enumerate(network.graph.points)} for network in (a, b)]
    size = (len(index[0]), len(index[1]))
    result = Translations(np.full(size, np.nan), np.full(size, np.nan))
    passes = read_together(groups, memory_budget)
    points = sum(len(layer.points) for group in groups for layer in group)
    told = _Told(progress, 2 * len(passes) * len(inputs) + points)
    if not groups:
        return result

    def few() -> None:
        for network in (a, b):
            with torch.inference_mode():
                network(inputs[:TIMED].to(device_of(network, inputs)))

    with fastest_threads(few), torch.inference_mode():
        for together in passes:
            text = ", ".join(map(described, together))

            def read(count: int, text: str = text) -> None:
                told.more(count, f"reading points of {text}")

            features = [
                sampled_features(
                    network, [group[side] for group in together], inputs, seed=seed, on_read=read
                )
                for side, network in enumerate((a, b))
            ]
            for number, group in enumerate(together):
                sampling = group[0].sampling
                held = _held_out(sampling.images, holdout)
                apart = held.repeat_interleave(sampling.positions)  # a row goes with its image
                rows = [[index[s][node.name] for node in group[s].points] for s in (0, 1)]
                for source, table in enumerate((result.a_to_b, result.b_to_a)):
                    targets = Targets.of(features[1 - source][number], apart, projections, seed)
                    for place, values in zip(rows[source], features[source][number], strict=True):
                        where = (place, rows[1]) if source == 0 else (rows[0], place)
                        table[where] = held_out_r2(values, targets, apart, ridge)
                        told.more(1, f"solving for points of {described(group)}")
            del features
    return result


def _held_out(images: int, holdout: float) -> Tensor:
    """(images,) which images are measured on; spread evenly, for 1/4 every fourth."""
    numbers = torch.arange(images + 1, dtype=torch.float64) * holdout
    held = numbers.floor().diff() > 0
    if int(held.sum()) < 2 or int((~held).sum()) < 2:
        raise MatchingError(
            f"the batches for stitchability hold {images} samples: holding out {holdout:g} of them "
            f"takes at least {-int(-2 // holdout)}; give more samples"
        )
    return held


class _Told:
    """Counts steps for a progress callback."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def more(self, count: int, text: str) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, self._total, text)


def _check(
    images: int,
    positions: int,
    projections: int | None,
    ridge: float,
    holdout: float,
    memory_budget: int,
) -> None:
    counts = {"images": images, "positions": positions, "memory_budget": memory_budget}
    if projections is not None:
        counts["projections"] = projections
    for name, value in counts.items():
        if value < 1:
            raise MatchingError(f"{name} is {value}: expected 1 or more for stitchability")
    if not ridge >= 0 or ridge == float("inf"):
        raise MatchingError(f"ridge is {ridge}: expected a finite number, 0 or more")
    if not 0 < holdout <= 0.5:
        raise MatchingError(
            f"holdout is {holdout}: expected the share of images to measure on, over 0 and at "
            "most 0.5"
        )

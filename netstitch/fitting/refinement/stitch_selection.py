"""Selection of the stitches that keep what they learned: none may get worse.

It looks at images that no stitch was trained on; what was gained is reported on others again. A
stitch keeps its trained weights when, as the only stitch of a subnetwork, it loses less with them
than before by more than chance explains. Then subnetworks with four stitches are compared, and
where they lose more than before, the stitches that gained least go back, until they do not.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from netstitch.fitting.refinement.branch_subnetworks import BranchSubnetwork, BranchSubnetworks
from netstitch.fitting.refinement.refine_images import Examples
from netstitch.fitting.refinement.refine_training import Training

FOUR = 4
"""Active stitches in the subnetworks that are compared beside single stitches."""

CERTAIN = 1.5
"""Standard errors by which a stitch's loss must have fallen."""

Losses = NDArray[np.float64]
"""(branches, batches) mean losses."""

Judge = Callable[[Sequence[BranchSubnetwork]], Losses]
"""Gives the losses of branches with the weights that stitches have now."""


def losses(
    branches: BranchSubnetworks,
    chosen: Sequence[BranchSubnetwork],
    examples: Examples,
    size: int,
    pool: Executor,
    *,
    together: int = 1,
) -> Losses:
    """Return the loss of each branch on each batch of examples.

    Args:
        branches: Runs them.
        chosen: The branches.
        examples: The images.
        size: Images of a batch, at most.
        pool: Computes groups of batches side by side.
        together: Batches that are run at once, since a few images take about as long as many, and
            for which originals are computed once.
    """

    def columns(groups: Sequence[Examples]) -> list[list[float]]:
        with torch.inference_mode():
            inputs = branches.arrange(torch.cat([group.inputs for group in groups]))
            originals = branches.originals(inputs, chosen)
            return [
                [float(loss) for loss in branches.losses_of(branch, groups, inputs, originals)]
                for branch in chosen
            ]

    if not chosen:
        return np.zeros((0, 0))
    batches = list(examples.batches(size))
    groups = [batches[start : start + together] for start in range(0, len(batches), together)]
    return np.concatenate([np.array(each) for each in pool.map(columns, groups)], axis=1)


def improved(before: Losses, after: Losses) -> NDArray[np.bool_]:
    """Return (branches,), true where losses fell by more than chance, batch by batch in pairs.

    A loss that is not finite after is no improvement; one that was not finite before is.
    """
    count = before.shape[1]
    with np.errstate(invalid="ignore"):
        fall = before - after
        error = fall.std(axis=1, ddof=1) / np.sqrt(count) if count > 1 else np.zeros(len(fall))
        better = np.greater(fall.mean(axis=1), CERTAIN * error)
    finite = np.isfinite(after).all(axis=1)
    saved = ~np.isfinite(before).all(axis=1)
    found: NDArray[np.bool_] = np.logical_and(finite, np.logical_or(better, saved))
    return found


def choose(
    training: Training, singles: Sequence[int], panel: Sequence[BranchSubnetwork], judge: Judge
) -> set[int]:
    """Return the stitches that keep what they learned; all others get their first weights back.

    A stitch that gives a loss that is not finite, as it did not before, is given up here: the last
    steps made it diverge.

    Args:
        training: After its last step.
        singles: The stitches that were trained.
        panel: Subnetworks with several stitches.
        judge: Gives losses on images that were not trained on.
    """
    if not singles:
        return set()
    alone = [training.single(stitch) for stitch in singles]
    after = judge(alone)
    restore(training, singles)
    before, several = judge(alone), mean_of(judge(panel)) if panel else 0.0
    ended = np.isfinite(before).all(axis=1) & ~np.isfinite(after).all(axis=1)
    for stitch in np.asarray(singles)[ended].tolist():
        training.give_up(stitch)
    gains = {
        stitch: mean_of(row) - mean_of(new)
        for stitch, row, new in zip(singles, before, after, strict=True)
    }
    better = improved(before, after)
    kept = {stitch for stitch, good in zip(singles, better, strict=True) if good}
    for stitch in kept:
        training.write(stitch)
    while panel and kept and mean_of(judge(panel)) > several:
        worst = sorted(kept, key=gains.__getitem__)[: max(1, len(kept) // 2)]
        restore(training, worst)
        kept.difference_update(worst)
    return kept


@dataclass(frozen=True)
class StitchComparison:
    """Mean losses with the first weights and with those kept.

    Attributes:
        before: With the first weights, by stitch.
        after: With those kept, by stitch.
        several: Both for subnetworks with several stitches, None where there are none.
    """

    before: dict[int, float]
    after: dict[int, float]
    several: tuple[float | None, float | None]


def compare(
    training: Training,
    singles: Sequence[int],
    kept: set[int],
    panel: Sequence[BranchSubnetwork],
    judge: Judge,
) -> StitchComparison:
    """Return what was gained; the stitches end with the weights that they keep.

    A stitch that keeps its first weights has one loss.
    """
    changed = sorted(kept)
    several_after = mean_of(judge(panel)) if panel else None
    after = _means(judge, training, changed)
    restore(training, changed)
    several_before = mean_of(judge(panel)) if panel else None
    before = _means(judge, training, singles)
    for stitch in changed:
        training.write(stitch)
    return StitchComparison(before, before | after, (several_before, several_after))


def _means(judge: Judge, training: Training, stitches: Sequence[int]) -> dict[int, float]:
    if not stitches:
        return {}
    found = judge([training.single(stitch) for stitch in stitches])
    return {stitch: mean_of(row) for stitch, row in zip(stitches, found, strict=True)}


def restore(training: Training, stitches: Sequence[int]) -> None:
    """Give stitches the weights of the first stage."""
    for stitch in stitches:
        training.put(stitch, training.first[stitch])


def mean_of(losses: Losses) -> float:
    """Return the mean loss; infinity where one is not finite."""
    return float(losses.mean()) if np.isfinite(losses).all() else float("inf")

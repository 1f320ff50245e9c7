"""Selection of the stitches that keep what they learned: none may get worse.

It looks at images that no stitch was trained on; what was gained is reported on others again. A
stitch keeps its trained weights when, as the only stitch of a subnetwork, it loses less with them
than before by more than chance explains. Then subnetworks with four stitches are compared, and
where they lose more than before, the stitches that gained least go back, until they do not.
"""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor

import numpy as np
import torch
from numpy.typing import NDArray

from netstitch.fitting.refinement.branch_subnetworks import BranchSubnetwork
from netstitch.fitting.refinement.refine_images import Examples
from netstitch.fitting.refinement.refine_training import Training

CERTAIN = 1.5
"""Standard errors by which a stitch's loss must have fallen."""

JUDGED_BATCHES = 8
"""Batches that losses are measured on, at least."""

TOGETHER = 64
"""Images of these batches that are run at once, at most: a few images take about as long as many,
and originals are computed once for them."""

Losses = NDArray[np.float64]
"""(branches, batches) mean losses."""

Judge = Callable[[Sequence[BranchSubnetwork]], Losses]
"""Gives the losses of branches with the weights that stitches have now."""


def make_judge(training: Training, examples: Examples, pool: Executor) -> Judge:
    """Return a function that gives losses of branches on these images, batches side by side."""
    branches = training.branches

    def judge(chosen: Sequence[BranchSubnetwork]) -> Losses:
        if not chosen:
            return np.zeros((0, 0))
        room = training.room(chosen)
        size = max(1, min(training.settings.batch_size, len(examples) // JUDGED_BATCHES, room))
        step = max(1, min(TOGETHER, room) // size)
        batches = list(examples.batches(size))

        def columns(start: int) -> list[list[float]]:
            groups = batches[start : start + step]
            with torch.inference_mode():
                inputs = branches.arrange(torch.cat([group.inputs for group in groups]))
                originals = branches.originals(inputs, chosen)
                return [
                    [float(loss) for loss in branches.losses_of(branch, groups, inputs, originals)]
                    for branch in chosen
                ]

        return np.concatenate(list(pool.map(columns, range(0, len(batches), step))), axis=1)

    return judge


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
    steps made it diverge. `singles` are the stitches that were trained, and the panel holds
    subnetworks with several.
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


def compare(
    training: Training,
    singles: Sequence[int],
    kept: Collection[int],
    panel: Sequence[BranchSubnetwork],
    judge: Judge,
) -> tuple[dict[int, float], dict[int, float], tuple[float | None, float | None]]:
    """Return the gains; the stitches end with the weights that they keep.

    Returns:
        Mean losses of single stitches, by stitch, with the first weights and with those kept, one
        loss where these are the same; and both for the panel, None where it is empty.
    """
    changed = sorted(kept)
    several_after = mean_of(judge(panel)) if panel else None
    after = _alone(judge, training, changed)
    restore(training, changed)
    several_before = mean_of(judge(panel)) if panel else None
    before = _alone(judge, training, singles)
    for stitch in changed:
        training.write(stitch)
    return before, before | after, (several_before, several_after)


def _alone(judge: Judge, training: Training, stitches: Sequence[int]) -> dict[int, float]:
    found = judge([training.single(stitch) for stitch in stitches])
    return {stitch: mean_of(row) for stitch, row in zip(stitches, found, strict=True)}


def restore(training: Training, stitches: Sequence[int]) -> None:
    """Give stitches the weights of the first stage."""
    for stitch in stitches:
        training.put(stitch, training.first[stitch])


def mean_of(losses: Losses) -> float:
    """Return the mean loss; infinity where one is not finite."""
    return float(losses.mean()) if np.isfinite(losses).all() else float("inf")

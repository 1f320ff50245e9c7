"""Stitches keep what they learned where it helps, alone and four together."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from refinement_examples import fitted, images, training

from netstitch.fitting.refinement import stitch_selection
from netstitch.fitting.refinement.branch_subnetworks import BranchSubnetwork
from netstitch.fitting.refinement.refine_images import Examples
from netstitch.fitting.refinement.refine_training import Training
from netstitch.fitting.refinement.stitch_selection import (
    Losses,
    choose,
    compare,
    improved,
    make_judge,
    mean_of,
    restore,
)


class Judged:
    """A judge whose losses depend on which stitches hold what they learned."""

    def __init__(self, trained: Training, falls: Sequence[float], rise: float = 0.0) -> None:
        self.trained, self.falls, self.rise, self.asked = trained, falls, rise, 0

    def __call__(self, chosen: Sequence[BranchSubnetwork]) -> Losses:
        self.asked += len(chosen)
        noise = 0.01 * np.random.default_rng(0).standard_normal((len(chosen), 8))
        rows = []
        for branch in chosen:
            changed = [s for s in branch.stitches if self.changed(s)]
            rise = self.rise if len(branch.stitches) > 1 and changed else 0.0
            rows.append(1.0 - sum(self.falls[s] for s in changed) + rise)
        return np.array(rows)[:, None] + noise

    def changed(self, stitch: int) -> bool:
        first = self.trained.first[stitch][0]
        return not torch.equal(self.trained.branches.leaves[stitch][0], first)


def moved() -> tuple[Training, list[int]]:
    """All stitches moved from where they were."""
    trained = training(fitted())
    for stitch, (inner, _) in enumerate(trained.inner):
        with torch.no_grad():
            inner.add_(0.1)
        trained.write(stitch)
    return trained, list(range(len(trained.inner)))


def panel_of(trained: Training, *genotypes: Sequence[int]) -> list[BranchSubnetwork]:
    """A subnetwork with several active stitches."""
    generator = np.random.default_rng(0)
    found = []
    while len(found) < 3:
        genotype, alone = trained.sampler.draw(generator, 1.0)
        branch = trained.branches.branch(genotype)
        if alone is None and len(branch.stitches) > 1:
            found.append(branch)
    return found


def test_what_helps_alone_is_kept_and_the_rest_goes_back() -> None:
    trained, singles = moved()
    falls = [0.3 if stitch % 3 == 0 else -0.3 for stitch in singles]
    judge = Judged(trained, falls)
    kept = choose(trained, singles, [], judge)
    assert kept == set(singles[::3])
    assert all(judge.changed(stitch) == (stitch in kept) for stitch in singles)
    assert judge.asked == 2 * len(singles)  # before and after, once each


def test_those_that_gained_least_go_back_while_several_together_lose() -> None:
    trained, singles = moved()
    falls = [0.1 + 0.01 * stitch for stitch in singles]
    kept = choose(trained, singles, panel_of(trained), Judged(trained, falls, rise=10.0))
    panel = {stitch for branch in panel_of(trained) for stitch in branch.stitches}
    assert not kept & panel
    assert all(stitch in kept for stitch in singles if stitch > max(panel))


def test_a_stitch_that_diverged_in_the_last_steps_is_named() -> None:
    trained, singles = moved()
    trained.step = 7
    falls = [0.3] * len(singles)
    falls[4] = -np.inf
    kept = choose(trained, singles, [], Judged(trained, falls))
    assert kept == set(singles) - {4}
    assert trained.diverged == {4: 7}


def test_nothing_trained_is_nothing_kept() -> None:
    trained, _ = moved()
    judge = Judged(trained, [])
    assert choose(trained, [], [], judge) == set()
    assert not judge.asked


def test_comparing_measures_what_did_not_change_once() -> None:
    trained, singles = moved()
    kept = set(singles[:3])
    restore(trained, singles[3:])
    judge = Judged(trained, [0.25] * len(singles))
    before, after, several = compare(trained, singles, kept, [], judge)
    assert judge.asked == len(singles) + len(kept)
    for stitch in singles:
        fall = before[stitch] - after[stitch]
        assert fall == pytest.approx(0.25 if stitch in kept else 0, abs=0.02)
        assert judge.changed(stitch) == (stitch in kept)
    assert several == (None, None)
    first, last = compare(trained, singles, kept, panel_of(trained), judge)[2]
    assert first is not None
    assert last is not None
    assert last <= first


def test_a_fall_counts_where_it_is_more_than_chance() -> None:
    generator = np.random.default_rng(0)
    noise = generator.standard_normal((1, 8))
    before = np.ones((1, 8)) + noise
    assert improved(before, before - 0.1).all()
    assert not improved(before, before + 0.1).any()
    assert not improved(before, before).any()
    # A small fall within large differences between the batches is chance.
    assert not improved(before, before - 0.1 + np.array([[1, -1] * 4])).any()
    assert improved(np.ones((1, 1)), np.zeros((1, 1))).all()
    bad = np.full((1, 8), np.nan)
    assert improved(bad, before).all()
    assert not improved(before, bad).any()
    assert not improved(bad, bad).any()
    assert mean_of(bad) == np.inf


@pytest.mark.parametrize("workers, together", [(1, 1), (2, 1), (2, 16), (1, 40)])
def test_losses_are_those_of_each_branch_on_each_batch(
    workers: int, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stitch_selection, "JUDGED_BATCHES", 2)
    monkeypatch.setattr(stitch_selection, "TOGETHER", together)
    trained = training(fitted())
    chosen = [trained.single(stitch) for stitch in range(4)]
    examples = Examples(images(20))
    with ThreadPoolExecutor(workers) as pool:
        judge = make_judge(trained, examples, pool)
        found = judge(chosen)
        assert judge([]).shape == (0, 0)
    assert found.shape == (4, 3)
    for column, part in enumerate(examples.batches(8)):
        for row, branch in enumerate(chosen):
            originals = trained.branches.originals(part.inputs, [branch])
            slow = trained.branches.loss_of(branch, part, originals).item()
            assert found[row, column] == pytest.approx(slow, rel=1e-5, abs=1e-7)

"""A step moves the stitches that were drawn, and puts back those that diverge."""

import math
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from refinement_examples import fitted, training
from torch import Tensor

from netstitch.fitting.refinement.branch_subnetworks import (
    BranchSubnetwork,
    BranchSubnetworks,
    gradients_of,
)
from netstitch.fitting.refinement.refine_training import SIDES, STRIKES, Training
from netstitch.fitting.refinement.views import AS_THEY_ARE, Views, viewed

ONE = ThreadPoolExecutor(1)


def state(trained: Training) -> list[Tensor]:
    tensors = [tensor for pair in (*trained.inner, *trained.branches.leaves) for tensor in pair]
    return [tensor.detach().clone() for tensor in tensors]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def draws_of(trained: Training, monkeypatch: pytest.MonkeyPatch) -> list[BranchSubnetwork]:
    """The subnetworks that are drawn from now on."""
    found: list[BranchSubnetwork] = []
    real = Training._gradients

    def noted(self: Training, chosen: Any, examples: Any) -> Any:
        found.extend(chosen)
        return real(self, chosen, examples)

    monkeypatch.setattr(Training, "_gradients", noted)
    return found


@pytest.mark.parametrize("views", [AS_THEY_ARE, Views(padding=2, flip=True)])
def test_a_step_is_one_of_adam_on_the_summed_losses(
    monkeypatch: pytest.MonkeyPatch, views: Views
) -> None:
    trained, plain = training(fitted(), views=views), training(fitted())
    drawn = draws_of(trained, monkeypatch)
    batches = [
        viewed(trained.parts.draw(8, 8 * side, seed=0), views, 0, 8 * side) for side in range(SIDES)
    ]
    loss = trained.advance(0.0, ONE)
    assert trained.step == 1
    assert len(drawn) == SIDES * trained.settings.subnetworks

    # The obvious way: all in one autograd graph, from V and c on.
    inner = plain.inner
    for stitch in range(len(inner)):
        weight, bias = plain.preconditioners[stitch].weights(*inner[stitch])
        path = plain.branches.union.stitch_paths()[stitch]
        shaped = weight.reshape(plain.branches.leaves[stitch][0].shape)
        plain.branches._weights |= {f"{path}.weight": shaped, f"{path}.bias": bias}
    losses = []
    for number, branch in enumerate(drawn):
        examples = batches[number // trained.settings.subnetworks]
        again = plain.branches.branch(branch.genotype)
        originals = plain.branches.originals(examples.inputs, [again])
        losses.append(plain.branches.loss_of(again, examples, originals))
    assert loss == pytest.approx(torch.stack(losses).mean().item(), rel=1e-3)
    torch.stack(losses).sum().backward()
    plain.optimizer.step()
    moved = {stitch for branch in drawn for stitch in branch.stitches}
    for stitch, (ours, theirs) in enumerate(zip(trained.inner, inner, strict=True)):
        assert torch.equal(trained.branches.leaves[stitch][0], trained.first[stitch][0]) == (
            stitch not in moved
        )
        for one, other in zip(ours, theirs, strict=True):
            # Adam's first step is the sign of the gradient: rounding may turn those near zero.
            gap = (one - other).abs()
            assert gap.median() < 1e-4
            assert gap.max() <= 2.1e-2


def test_the_learning_rate_falls_along_a_cosine() -> None:
    trained = training(fitted())
    rates = []
    for fraction in (0.0, 0.5, 1.0):
        trained.advance(fraction, ONE)
        rates.append(trained.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([1e-2, 0.5e-2, 0], abs=1e-9)


def test_a_small_memory_gives_the_same_steps_in_smaller_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, micros = [], set[int]()
    for budget in (10**9, 1):
        trained = training(fitted())
        trained.settings = trained.settings.model_copy(update={"memory_budget": budget})

        def noted(*args: Any, micro: int) -> Any:
            micros.add(micro)
            return gradients_of(*args, micro=micro)

        monkeypatch.setattr("netstitch.fitting.refinement.refine_training.gradients_of", noted)
        found.append(trained.advance(0.0, ONE))
    assert found[0] == pytest.approx(found[1], rel=1e-4)
    assert micros == {8, 1}


class Cut(Executor):
    """Computes one side of a step, then is interrupted."""

    def map(self, function: Any, *given: Any, **_: Any) -> Any:  # type: ignore[override]
        yield function(*(each[0] for each in given))
        raise KeyboardInterrupt


def test_a_step_that_is_interrupted_has_not_begun() -> None:
    trained, whole = training(fitted()), training(fitted())
    before = state(trained)
    with pytest.raises(KeyboardInterrupt):
        trained.advance(0.0, Cut())
    assert trained.whole
    assert trained.step == 0
    assert same(before, state(trained))
    assert trained.advance(0.0, ONE) == whole.advance(0.0, ONE)
    assert same(state(trained), state(whole))


def test_a_step_that_is_interrupted_while_stitches_move_is_half_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained = training(fitted())

    def cut(self: Training, stitch: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "write", cut)
    with pytest.raises(KeyboardInterrupt):
        trained.advance(0.0, ONE)
    assert not trained.whole


def spoilt(monkeypatch: pytest.MonkeyPatch, bad: int, factor: float = math.nan) -> None:
    """Losses of subnetworks with stitch `bad` are not finite."""
    real = BranchSubnetworks.loss_of

    def loss_of(self: BranchSubnetworks, branch: BranchSubnetwork, *rest: Any) -> Tensor:
        loss = real(self, branch, *rest)
        return loss * factor if bad in branch.stitches else loss

    monkeypatch.setattr(BranchSubnetworks, "loss_of", loss_of)


@pytest.mark.parametrize("factor", [math.nan, math.inf])
@pytest.mark.parametrize("seed", range(3))
def test_the_stitch_that_diverges_is_given_up_and_no_other(
    monkeypatch: pytest.MonkeyPatch, factor: float, seed: int
) -> None:
    trained = training(fitted(), seed=seed)
    for _ in range(2):
        trained.advance(0.5, ONE)
    spoilt(monkeypatch, 1, factor)
    losses = [trained.advance(1.0, ONE) for _ in range(8)]
    assert list(trained.diverged) == [1]
    assert trained.diverged[1] > 2
    assert trained.gains.closed == {1}
    now, first = trained.branches.leaves[1], trained.first[1]
    assert all(torch.equal(a, b) for a, b in zip(now, first, strict=True))
    assert all(math.isfinite(loss) for loss in losses)


def test_huge_weights_are_put_back_and_the_others_stay_finite() -> None:
    trained = training(fitted())
    with torch.no_grad():
        trained.inner[2][0].mul_(1e38).mul_(1e3)
    trained.write(2)
    for _ in range(12):
        trained.advance(0.5, ONE)
    assert list(trained.diverged) == [2]
    assert all(tensor.isfinite().all() for tensor in state(trained))


def test_where_none_diverges_alone_only_the_most_suspect_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trained, generator = training(fitted()), np.random.default_rng(0)
    real = BranchSubnetworks.loss_of

    def loss_of(self: BranchSubnetworks, branch: BranchSubnetwork, *rest: Any) -> Tensor:
        loss = real(self, branch, *rest)
        return loss * math.nan if {0, 5} <= set(branch.stitches) else loss

    monkeypatch.setattr(BranchSubnetworks, "loss_of", loss_of)
    seen = 0
    while seen < STRIKES:
        branch = trained.branches.branch(trained.sampler.draw(generator, 1.0)[0])
        if {0, 5} <= set(branch.stitches):
            assert not trained.diverged
            trained._blame(branch, trained.parts.train.first(8))
            seen += 1
    assert list(trained.diverged) in ([0], [5])
    assert trained.strikes[0] == trained.strikes[5] == STRIKES


def test_images_that_no_network_can_do_are_nobodys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = training(fitted())
    real = BranchSubnetworks.loss_of
    monkeypatch.setattr(BranchSubnetworks, "loss_of", lambda *rest: real(*rest) * math.nan)
    before = state(trained)
    assert math.isnan(trained.advance(0.5, ONE))
    assert not trained.diverged
    assert same(before, state(trained))
    monkeypatch.undo()
    assert math.isfinite(trained.advance(0.5, ONE))


def test_nothing_is_left_to_train_when_all_are_given_up() -> None:
    trained = training(fitted())
    for stitch in range(len(trained.inner)):
        trained.give_up(stitch)
    with pytest.raises(LookupError, match="no stitch is left"):
        trained.advance(0.0, ONE)

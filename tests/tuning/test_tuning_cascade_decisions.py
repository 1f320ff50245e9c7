"""Thresholds that are chosen again."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from small_supernets import random_task, small_supernet
from torch import Tensor

from netstitch.cascades.answers import AnswerRule, answer_rule
from netstitch.errors import FittingError
from netstitch.stitching.cascade import CascadeStage
from netstitch.threads import threads
from netstitch.tuning import cascade_decisions
from netstitch.tuning.cascade_decisions import continues, with_new_threshold


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_share_of_samples_goes_on(share: float) -> None:
    supernet, task = small_supernet(), random_task(100)
    rule = answer_rule(supernet, task, "probability")
    first = CascadeStage(tuple(supernet.genotype("wide").tolist()))
    second = CascadeStage(tuple(supernet.genotype("deep").tolist()))
    one = with_new_threshold(supernet, rule, [], first, share, "cpu")
    on = continues(supernet, rule, [one], task.validation, "cpu")
    assert int(on.sum()) == pytest.approx(100 * share, abs=1)
    two = with_new_threshold(supernet, rule, [one], second, 0.5, "cpu")
    further = continues(supernet, rule, [one, two], task.validation, "cpu")
    assert int(further.sum()) == pytest.approx(50 * share, abs=1)
    assert not (further & ~on).any()


def test_a_stage_that_is_as_sure_of_everything_has_no_threshold() -> None:
    supernet, task = small_supernet(), random_task()
    flat = replace(task.validation, inputs=torch.zeros_like(task.validation.inputs))
    rule = answer_rule(supernet, replace(task, validation=flat), "probability")
    stage = CascadeStage(tuple(supernet.genotype("wide").tolist()))
    with pytest.raises(FittingError, match="stage 1 of the cascade is equally sure of all 23"):
        with_new_threshold(supernet, rule, [], stage, 0.5, "cpu")


class Saturated(AnswerRule):
    """Half of 100 samples are all but one of those that are next."""

    def sureness(self, answer: Tensor, pair: Sequence[Tensor] = ()) -> Tensor:
        return torch.tensor([1.0] * 50 + [0.99999994] * 30 + [0.7] * 20)


def test_a_threshold_is_the_nearest_that_there_is() -> None:
    supernet, task = small_supernet(), random_task(100)
    rule = Saturated(**vars(answer_rule(supernet, task, "probability")))
    stage = CascadeStage(tuple(supernet.genotype("wide").tolist()))
    # Over 0.99999994 there is only 1.
    found = with_new_threshold(supernet, rule, [], stage, 0.5, "cpu")
    assert found.threshold == pytest.approx(0.85)


def test_a_stage_that_nothing_reaches_keeps_its_threshold() -> None:
    supernet, task = small_supernet(), random_task(100)
    rule = answer_rule(supernet, task, "probability")
    first = CascadeStage(tuple(supernet.genotype("wide").tolist()), 1e-6)
    second = CascadeStage(tuple(supernet.genotype("deep").tolist()), 0.4)
    assert with_new_threshold(supernet, rule, [first], second, 0.5, "cpu").threshold == 0.4


def test_blocks_of_samples_are_bounded_by_their_inputs_and_no_copies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    supernet, task = small_supernet(), random_task(300)
    blocks: list[Tensor] = []
    real = cascade_decisions.compute_terms

    def spying(supernet: Any, task: Any, samples: Any, *rest: Any) -> Any:
        blocks.append(samples.inputs)
        return real(supernet, task, samples, *rest)

    monkeypatch.setattr(cascade_decisions, "compute_terms", spying)
    rule = answer_rule(supernet, task, "probability")
    stage = CascadeStage(tuple(supernet.genotype("wide").tolist()), 0.4)
    whole = continues(supernet, rule, [stage], task.validation, "cpu")
    monkeypatch.setattr(cascade_decisions, "BLOCK", 40_000)
    parts = continues(supernet, rule, [stage], task.validation, "cpu")
    assert torch.equal(whole, parts)
    assert [len(one) for one in blocks] == [300, 128, 128, 44]
    storage = task.validation.inputs.untyped_storage().data_ptr()
    assert all(one.untyped_storage().data_ptr() == storage for one in blocks)


def test_only_what_has_temperatures_gets_new_ones() -> None:
    supernet, task = small_supernet(), random_task(100)
    rule = answer_rule(supernet, task, "probability")
    wide, both = (tuple(supernet.genotype(name).tolist()) for name in ("wide", "ensemble"))
    plain = with_new_threshold(supernet, rule, [], CascadeStage(wide), 0.5, "cpu")
    assert plain.temperatures == ()
    scaled = with_new_threshold(
        supernet, rule, [], CascadeStage(wide, temperatures=(3.0,)), 0.5, "cpu"
    )
    assert scaled.temperatures not in ((), (1.0,), (3.0,))
    last = CascadeStage(both, temperatures=(3.0, 3.0))
    assert with_new_threshold(supernet, rule, [plain], last, None, "cpu").temperatures[0] == 1.0


def test_thresholds_do_not_depend_on_the_cores_there_are() -> None:
    counts: list[int] = []

    class Counting(AnswerRule):
        def sureness(self, answer: Tensor, pair: Sequence[Tensor] = ()) -> Tensor:
            counts.append(torch.get_num_threads())
            return super().sureness(answer, pair)

    supernet, task = small_supernet(), random_task(100)
    rule = Counting(**vars(answer_rule(supernet, task, "probability")))
    stage = CascadeStage(tuple(supernet.genotype("wide").tolist()))
    with threads(3):
        done = with_new_threshold(supernet, rule, [], stage, 0.5, "cpu")
        continues(supernet, rule, [done], task.validation, "cpu")
        assert torch.get_num_threads() == 3
    assert counts == [1, 1]

"""Thresholds that are chosen again."""

from dataclasses import replace

import pytest
import torch
from small_supernets import random_task, small_supernet

from netstitch.cascades.answers import answer_rule
from netstitch.errors import FittingError
from netstitch.stitching.cascade import CascadeStage
from netstitch.tuning.cascade_decisions import decided, going_on


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_share_of_samples_goes_on(share: float) -> None:
    supernet, task = small_supernet(), random_task(100)
    rule = answer_rule(supernet, task, "probability")
    first = CascadeStage(tuple(supernet.genotype("wide").tolist()))
    second = CascadeStage(tuple(supernet.genotype("deep").tolist()))
    one = decided(supernet, rule, [], first, share, "cpu")
    on = going_on(supernet, rule, [one], task.validation, "cpu")
    assert int(on.sum()) == pytest.approx(100 * share, abs=1)
    two = decided(supernet, rule, [one], second, 0.5, "cpu")
    further = going_on(supernet, rule, [one, two], task.validation, "cpu")
    assert int(further.sum()) == pytest.approx(50 * share, abs=1)
    assert not (further & ~on).any()


def test_a_stage_that_is_as_sure_of_everything_has_no_threshold() -> None:
    supernet, task = small_supernet(), random_task()
    flat = replace(task.validation, inputs=torch.zeros_like(task.validation.inputs))
    rule = answer_rule(supernet, replace(task, validation=flat), "probability")
    stage = CascadeStage(tuple(supernet.genotype("wide").tolist()))
    with pytest.raises(FittingError, match="stage 1 of the cascade is equally sure of all 23"):
        decided(supernet, rule, [], stage, 0.5, "cpu")

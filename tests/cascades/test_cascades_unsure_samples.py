"""The samples that cheap stages are unsure of, beside the obvious way to find them."""

import numpy as np
import pytest
import torch
from exit_examples import exit_outputs, random_weights
from small_supernets import random_task, small_supernet

from netstitch.cascades.answers import answer_rule
from netstitch.cascades.unsure_samples import UNSURE, scorer_on_unsure, unsure_samples
from netstitch.costs import MULTIPLY_ADDS
from netstitch.evaluation import NumericsConfig
from netstitch.stitching.cascade import Confidence
from netstitch.stitching.exit import Exit
from netstitch.supernet.supernet import Supernet

FORM = NumericsConfig(channels_last=False, batch=16, workers=1)
EXITS = [Exit(0, ("relu",)), Exit(1, ("relu",))]


def with_exits() -> Supernet:
    supernet = small_supernet()
    supernet.set_exits(EXITS, random_weights(supernet, EXITS))
    return supernet


@pytest.mark.parametrize("kind", ["probability", "agreement"])
def test_they_are_those_of_the_least_mean_rank(kind: Confidence) -> None:
    supernet, task = with_exits(), random_task()
    samples = task.validation
    rule = answer_rule(supernet, task, kind)
    found = unsure_samples(supernet, rule, samples, MULTIPLY_ADDS, FORM, "cpu")
    ranks = [
        out.softmax(1).amax(1).argsort().argsort() for out in exit_outputs(supernet, samples.inputs)
    ]
    rank = torch.stack(ranks).double().mean(0)
    left_out = [
        i
        for i in range(len(samples))
        if not (found.inputs == samples.inputs[i]).flatten(1).all(1).any()
    ]
    taken = [i for i in range(len(samples)) if i not in left_out]
    assert len(found) == len(taken) == round(UNSURE * len(samples))
    assert rank[taken].max() <= rank[left_out].min()
    assert torch.equal(found.inputs, samples.inputs[taken])


def test_without_exits_the_basis_networks_say_it() -> None:
    supernet, task = small_supernet(), random_task()
    rule = answer_rule(supernet, task, "probability")
    found = unsure_samples(supernet, rule, task.validation, MULTIPLY_ADDS, FORM, "cpu")
    assert len(found) == round(UNSURE * len(task.validation))


def test_a_score_is_the_accuracy_on_them() -> None:
    supernet, task = with_exits(), random_task()
    rule = answer_rule(supernet, task, "probability")
    found = unsure_samples(supernet, rule, task.validation, MULTIPLY_ADDS, FORM, "cpu")
    score = scorer_on_unsure(supernet, rule, task, MULTIPLY_ADDS, FORM, "cpu")
    genotypes = np.stack(list(supernet.references().values()))
    right = [
        (supernet.subnetwork(one)(found.inputs).argmax(1) == found.labels).double().mean()
        for one in genotypes
    ]
    assert score(genotypes) == pytest.approx(np.array(right))

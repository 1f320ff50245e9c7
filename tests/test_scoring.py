"""What a search holds against cost, and for which networks."""

from typing import Any

import pytest
from small_supernets import random_samples, random_task
from torch import nn

import netstitch as ns
from netstitch.errors import SearchError
from netstitch.evaluation import Form
from netstitch.matching import Matching
from netstitch.outcomes import measure
from netstitch.scoring import scored_by
from netstitch.supernet import Supernet
from netstitch.tasks import Likelihood


def joined(*ending: nn.Module) -> Supernet:
    model = nn.Sequential(nn.Flatten(), nn.Linear(72, 3), *ending)
    network = ns.capture(model, random_samples(2).inputs)
    return Supernet([network, network], Matching((), 0, 0, "none"))


def test_cross_entropy_is_of_logits() -> None:
    task = random_task()
    assert scored_by("accuracy", joined(nn.Softmax(1)), task) is task
    assert isinstance(scored_by("cross-entropy", joined(), task), Likelihood)
    with pytest.raises(SearchError, match=r'is of logits.*outputs = "probabilities"'):
        scored_by("cross-entropy", joined(nn.Softmax(1)), task)


def test_other_objectives_are_not_known() -> None:
    name: Any = "f1"
    with pytest.raises(SearchError, match="objective 'f1' is not known"):
        scored_by(name, joined(), random_task())


@pytest.mark.parametrize("soft", [False, True])
def test_cross_entropy_and_calibration_are_left_out_of_probabilities(soft: bool) -> None:
    supernet, task = joined(*[nn.Softmax(1)] * soft), random_task()
    form = Form(channels_last=False, batch=8, workers=1)
    [found] = measure(supernet, task, task.validation, [supernet.genotype()], form)
    assert (found.cross_entropy is None) is soft
    assert (found.calibration is None) is soft

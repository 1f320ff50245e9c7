"""Evaluations in half precision are those in float32, but for rounding."""

from typing import Any

import numpy as np
import pytest
import torch
from schedule_examples import random_genotype, random_supernet
from small_supernets import plainly, random_task, small_supernet
from torch import Tensor, nn

from netstitch.errors import SearchError
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.evaluation.numerics import DTYPES, Precision
from netstitch.evaluation.runtime.fragments import make_fragments
from netstitch.evaluation.runtime.half_precision import in_precision
from netstitch.evaluation.runtime.schedule import Schedule
from netstitch.matching import match
from netstitch.networks import capture
from netstitch.networks.graph import Enumerated
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Classification, Samples

HALVES: list[Precision] = ["bfloat16", "float16"]
EPSILON = {"bfloat16": 2.0**-8, "float16": 2.0**-11}


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("precision", HALVES)
def test_outputs_are_those_of_float32_but_for_rounding(precision: Precision, fused: bool) -> None:
    supernet, task = small_supernet(), random_task(23)
    full = NumericsConfig(channels_last=True, batch=7, workers=1)
    half = NumericsConfig(channels_last=True, batch=7, workers=1, fused=fused, precision=precision)
    evaluator = Evaluator(supernet, task, task.validation, half)
    random = np.random.default_rng(0)
    for _ in range(12):
        genotype = random.integers(0, supernet.cardinalities)
        expected = plainly(supernet, genotype, task.validation.inputs, full)
        outputs = evaluator.outputs(genotype)
        assert outputs.dtype == torch.float32
        assert (outputs - expected).abs().max() < 60 * EPSILON[precision] * expected.abs().max()
        assert not torch.equal(outputs, expected)


@pytest.mark.parametrize("precision", HALVES)
def test_averages_are_full(precision: Precision) -> None:
    supernet = small_supernet()
    fragments = make_fragments(supernet)
    ends = {fragment for pairs in fragments.results for _, fragment in pairs}
    for number, fragment in enumerate(in_precision(fragments, precision).every):
        casts = [n for n in fragment.graph.nodes if Enumerated("dtype", "float32") in n.args]
        assert bool(casts) == (number in ends and len(fragment.reads) > 1)


@pytest.mark.parametrize("precision", HALVES)
def test_plans_are_of_half_the_bytes(precision: Precision) -> None:
    supernet = random_supernet(3)
    genotype = random_genotype(supernet, 3)
    weights = {key: value.to(DTYPES[precision]) for key, value in supernet.tensors().items()}
    half = Schedule(supernet, weights, precision=precision).plan([genotype])
    full = Schedule(supernet, supernet.tensors()).plan([genotype])
    assert (2 * half.sizes == full.sizes).all()


class Casting(nn.Module):
    """Casts what it reads, as models do whose authors want float32 somewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Any:
        x = self.layer(x).relu().to(torch.float32) + torch.ones(4, dtype=torch.float32)
        return self.head(x.sigmoid().to(torch.float32))


def test_where_a_network_casts_to_float32_it_is_cast_to_the_precision() -> None:
    torch.manual_seed(0)
    a, b = (capture(Casting(), torch.randn(2, 4), name=name) for name in "ab")
    supernet = Supernet([a, b], match(a, b))
    samples = Samples(torch.rand(9, 4), torch.arange(9) % 2, "nine")
    task = Classification(validation=samples, classes=2)
    form = NumericsConfig(channels_last=False, batch=9, workers=1, precision="bfloat16")
    evaluator = Evaluator(supernet, task, samples, form)
    genotype = supernet.genotype("ensemble")
    expected = plainly(supernet, genotype, samples.inputs, form.exact)
    assert torch.allclose(evaluator.outputs(genotype), expected, atol=0.05)


def test_norms_are_recalibrated_in_float32_alone() -> None:
    supernet, task = small_supernet(), random_task(23)
    form = NumericsConfig(channels_last=True, batch=7, workers=1, precision="float16")
    with pytest.raises(SearchError, match="float16: leave out the precision, or recalibrating"):
        Evaluator(supernet, task, task.validation, form, recalibration=[task.validation.inputs])

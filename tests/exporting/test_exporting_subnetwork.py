import logging
import warnings

import pytest
import torch
from exporting_examples import small

from netstitch.errors import ExportError
from netstitch.exporting.subnetwork import random_inputs, take_subnetwork
from netstitch.supernet.supernet import Supernet
from netstitch.threads import quiet


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return small()


def test_the_subnetwork_owns_its_weights(supernet):
    subnetwork = take_subnetwork(supernet, supernet.genotype("net7", [0]))
    theirs = {tensor.data_ptr() for tensor in supernet.state_dict().values()}
    assert not theirs & {tensor.data_ptr() for tensor in subnetwork.weights.values()}
    assert not subnetwork.module.training
    inputs = torch.rand(3, 5)
    expected = supernet(inputs, supernet.genotype("net7", [0]))
    assert torch.equal(subnetwork(inputs)[None], expected)


def test_random_inputs_repeat_and_follow_the_example(supernet):
    graph = supernet.graphs[0]
    example = 100 + 5 * torch.randn(1000, 5)
    found = random_inputs(graph, 2000, example)
    assert found.shape == (2000, 5)
    assert torch.equal(found, random_inputs(graph, 2000, example))
    assert found.mean().item() == pytest.approx(100, abs=1)
    assert found.std().item() == pytest.approx(5, abs=0.5)


def test_example_of_another_shape(supernet):
    with pytest.raises(ExportError, match=r"shape \(2, 4\); expected a tensor of inputs \(n, 5\)"):
        random_inputs(supernet.graphs[0], 2, torch.zeros(2, 4))


def test_example_that_is_not_finite(supernet):
    with pytest.raises(ExportError, match="NaN or infinity"):
        random_inputs(supernet.graphs[0], 2, torch.full((2, 5), float("inf")))


def test_quiet_ends_with_its_block(caplog, recwarn):
    with quiet():
        logging.getLogger("torch").error("unheard")
        warnings.warn("unheard", stacklevel=1)
    logging.getLogger("torch").error("heard")
    warnings.warn("seen", stacklevel=1)
    assert [record.message for record in caplog.records] == ["heard"]
    assert [str(warning.message) for warning in recwarn] == ["seen"]

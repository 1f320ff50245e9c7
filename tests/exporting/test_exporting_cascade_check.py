from dataclasses import replace

import pytest
import torch
from cascade_examples import one_by_one, stage
from small_supernets import three_networks

from netstitch.exporting.cascade_check import CLOSE, decide, middle, varied
from netstitch.exporting.export_check import probes
from netstitch.exporting.subnetwork import random_inputs, take_subnetwork
from netstitch.stitching import Cascade
from netstitch.supernet.supernet import Supernet


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return three_networks()


@pytest.fixture(scope="module")
def cascade(supernet) -> Cascade:
    names = ("net0", "net1", "ensemble")
    return Cascade(
        tuple(
            stage(supernet, name, threshold)
            for name, threshold in zip(names, (0.5, 0.5, None), strict=True)
        )
    )


def test_thresholds_are_found_that_each_stage_answers_some(supernet, cascade):
    subnetwork = take_subnetwork(supernet, cascade)
    inputs = varied(20 * random_inputs(subnetwork.graph, 64))
    found = decide(subnetwork.graph, subnetwork.weights, inputs)
    counts = found.left.bincount().tolist()
    assert len(counts) == 3
    assert min(counts) >= 4
    stages = (
        replace(one, threshold=threshold)
        for one, threshold in zip(cascade.stages, (*found.thresholds.tolist(), None), strict=True)
    )
    _, left = one_by_one(supernet, Cascade(tuple(stages)), inputs)
    assert found.left.tolist() == left
    assert not found.close.any()


@pytest.mark.parametrize("distance, close", [(0.5, True), (2.0, False)])
def test_samples_at_a_threshold_are_close(supernet, cascade, distance, close):
    subnetwork = take_subnetwork(supernet, cascade)
    inputs = random_inputs(subnetwork.graph, 1)
    with torch.no_grad():
        sure = supernet(inputs, supernet.genotype("net0")).softmax(1).max()
    thresholds = torch.tensor([sure + distance * CLOSE, 0.0])
    found = decide(subnetwork.graph, subnetwork.weights, inputs, thresholds)
    assert found.close.tolist() == [close]
    assert found.left.tolist() == [1]


def test_probes_are_of_all_sizes_and_split(supernet, cascade):
    found = probes(take_subnetwork(supernet, cascade))
    own = [len(one.inputs) for one in found if one.thresholds is None]
    assert own == [1, 2, 5, 7, 64]
    others = [one.thresholds.tolist() for one in found if one.thresholds is not None]
    assert others.count([0.0, 0.0]) == others.count([2.0, 2.0]) == 4
    assert len(others) == 4 + 4 + 5
    assert sum(int(one.close.sum()) for one in found) < 5


def test_confidences_that_are_nearly_alike_are_split_where_they_are_furthest_apart():
    alike = torch.tensor([0.9, 0.9001, 0.90012, 0.90013, 0.2, 0.90014])
    assert 0.2 < middle(alike) < 0.9
    spread = torch.tensor([0.1, 0.2, 0.4, 0.7, 0.8, 0.95])
    assert middle(spread) == pytest.approx(0.55)
    assert middle(torch.tensor([0.3])) == pytest.approx(0.3)

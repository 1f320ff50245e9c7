"""Stitches of other kinds, in the benchmark of stitches: each is trained, and its cost counted."""

from math import ceil
from typing import Any

import pytest
import torch
from small_supernets import as_they_are, random_samples, small_supernet
from torch import Tensor
from torch.nn import functional

from netstitch.fitting.refinement.behaviour_losses import divergence
from netstitch.fitting.refinement.sampler import single
from netstitch.networks.interpreter import make_interpreter
from netstitch.supernet.supernet import Supernet


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return as_they_are(small_supernet(seed=2))


def of_maps(supernet: Supernet) -> int:
    """A stitch between maps, in the middle of a network."""
    return next(
        index
        for index, stitch in enumerate(supernet.stitches)
        if stitch.layout.kernel and stitch.match > 0 and single(supernet, index) is not None
    )


def taught(supernet: Supernet, genotype: Any, inputs: Tensor) -> Tensor:
    from lone_stitches import outputs

    reference = supernet.genotype(int(genotype[-1]))
    return outputs(make_interpreter(*supernet.subnetwork_graph(reference)), inputs).clone()


def test_a_stitch_that_reads_only_the_middle_of_3_x_3_positions_is_one_of_the_package(
    supernet: Supernet,
) -> None:
    from lone_stitches import outputs, with_kernel

    index = of_maps(supernet)
    key = supernet.stitch_paths()[index]
    graph, weights = supernet.subnetwork_graph(single(supernet, index))
    inputs = random_samples(8).inputs
    wide = {**weights, f"{key}.weight": functional.pad(weights[f"{key}.weight"], [1, 1, 1, 1])}
    found = outputs(make_interpreter(with_kernel(graph, key, 3), wide), inputs)
    assert torch.allclose(found, outputs(make_interpreter(graph, weights), inputs), atol=1e-6)


@pytest.mark.parametrize("kind", ["alone", "alone, half rank", "alone, 3 x 3"])
def test_training_brings_a_stitch_nearer_to_its_teacher_and_changes_nothing_else(
    supernet: Supernet, kind: str
) -> None:
    from lone_stitches import LONE, outputs, train_alone

    index = of_maps(supernet)
    genotype, stitch = single(supernet, index), supernet.stitches[index]
    assert genotype is not None
    inputs = random_samples(64, seed=4).inputs
    right = taught(supernet, genotype, inputs)
    losses = []
    for steps in (0, 40):
        made = train_alone(
            supernet, genotype, index, LONE[kind], inputs, right, steps=steps, seed=1
        )
        found = outputs(make_interpreter(made.graph, made.weights), inputs)
        losses.append(float(divergence(found, right)))
    # In these small maps, what reads 3 x 3 positions may be without loss from the first.
    assert losses[1] < max(0.9 * losses[0], 1e-6)
    given, key = supernet.subnetwork_graph(genotype)[1], supernet.stitch_paths()[index]
    for name, tensor in made.weights.items():
        assert name.startswith(key) or torch.equal(tensor, given[name])
    added = made.multiply_adds - supernet.macs(genotype)
    rank = ceil(min(stitch.inputs, stitch.outputs) / 2)
    of_kind = {
        "alone": 0,
        "alone, half rank": (
            rank * (stitch.inputs + stitch.outputs) * stitch.positions - stitch.multiply_adds
        ),
        "alone, 3 x 3": 8 * stitch.multiply_adds,
    }
    assert added == of_kind[kind]
    weight = made.weights[f"{key}.weight"].flatten(1)
    assert (torch.linalg.matrix_rank(weight) <= rank) == (kind == "alone, half rank")


def test_of_a_network_only_the_first_layers_behind_a_stitch_are_trained(
    supernet: Supernet,
) -> None:
    from lone_stitches import LONE, first_layers, train_alone

    index = of_maps(supernet)
    genotype = single(supernet, index)
    assert genotype is not None
    inputs = random_samples(64, seed=4).inputs
    right = taught(supernet, genotype, inputs)
    kind = LONE["alone, first layers too"]
    made = train_alone(supernet, genotype, index, kind, inputs, right, steps=3, seed=1)
    given, key = supernet.subnetwork_graph(genotype)[1], supernet.stitch_paths()[index]
    changed = {
        name
        for name, tensor in made.weights.items()
        if not name.startswith(key) and not torch.equal(tensor, given[name])
    }
    assert changed
    assert changed == set(first_layers(made.graph, key))
    target = supernet.names[supernet.stitches[index].target.network]
    assert all(name.startswith(f"{target}.") for name in changed)

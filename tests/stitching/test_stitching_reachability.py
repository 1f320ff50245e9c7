"""Active switches and cost without a tensor equal those met by a walk over all nodes."""

from hashlib import blake2b
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from stitching_examples import (
    Interpreter,
    images,
    matching_of,
    random_genotype,
    random_matching,
    random_network,
    seeds,
)

from netstitch.networks.network import Network
from netstitch.stitching import Averaging, Reachability, Switchboard, make_switchboard


def supernet(seed: int, count: int) -> tuple[list[Network], Switchboard, Reachability]:
    networks = [random_network(seed + i, name) for i, name in enumerate("abc"[:count])]
    graphs = [network.graph for network in networks]
    board = make_switchboard(graphs, random_matching(networks, seed))
    return networks, board, Reachability(graphs, board)


def walked(networks: list[Network], board: Switchboard, genotype: Any) -> Interpreter:
    layers = [stitch.layer() for stitch in board.stitches]
    walk = Interpreter(networks, board, layers, genotype.tolist(), images(1))
    walk.outputs(Averaging())
    return walk


@settings(deadline=None, max_examples=80)
@given(seeds, st.sampled_from([2, 3]), st.lists(seeds, min_size=1, max_size=5))
def test_active_signature_and_cost(seed: int, count: int, genotypes: list[int]) -> None:
    networks, board, wiring = supernet(seed, count)
    for number in genotypes:
        genotype = random_genotype(board.cardinalities, number)
        walk = walked(networks, board, genotype)
        assert set(np.flatnonzero(wiring.active(genotype)).tolist()) == walk.active
        expected = tuple((switch, int(genotype[switch])) for switch in sorted(walk.active))
        assert wiring.signature(genotype) == expected
        assert wiring.multiply_adds(genotype) == walk.multiply_adds
        assert wiring.elementwise(genotype) == len(walk.values)


@settings(deadline=None, max_examples=40)
@given(seeds, seeds)
def test_nodes_that_are_run(seed: int, number: int) -> None:
    networks, board, wiring = supernet(seed, 2)
    genotype = random_genotype(board.cardinalities, number)
    walk = walked(networks, board, genotype)
    run = wiring.computed(genotype)
    names = [(i, node) for i, network in enumerate(networks) for node in network.graph.nodes]
    found = {
        (i, node.name)
        for (i, node), used in zip(names, run, strict=True)
        if used and node.operation not in ("input", "weight")
    }
    assert found == {(place.network, place.point) for place in walk.values}


@settings(deadline=None, max_examples=40)
@given(seeds, seeds, seeds)
def test_digests_are_equal_when_signatures_are(seed: int, first: int, second: int) -> None:
    _, board, wiring = supernet(seed, 2)
    one = random_genotype(board.cardinalities, first)
    two = random_genotype(board.cardinalities, second)
    same = wiring.signature(one) == wiring.signature(two)
    assert (wiring.digest(one) == wiring.digest(two)) == same
    idle = ~wiring.active(one)
    two = np.where(idle, two, one)  # what is not active does not count
    assert wiring.digest(one) == wiring.digest(two)


@settings(deadline=None, max_examples=40)
@given(seeds, seeds)
def test_digests_have_the_bytes_that_are_stored(seed: int, number: int) -> None:
    networks, board, wiring = supernet(seed, 2)
    genotype = random_genotype(board.cardinalities, number)
    active = walked(networks, board, genotype).active
    chosen = [int(choice) + 1 if i in active else 0 for i, choice in enumerate(genotype)]
    stored = b"".join(choice.to_bytes(2, "little") for choice in chosen)
    assert wiring.digest(genotype) == blake2b(stored, digest_size=16).digest()


def test_what_is_answered_is_the_callers_own() -> None:
    networks, board, wiring = supernet(5, 2)
    genotype = np.zeros(len(board.cardinalities), dtype=np.int64)
    wiring.active(genotype)[:] = False
    wiring.computed(genotype)[:] = False
    assert set(np.flatnonzero(wiring.active(genotype))) == walked(networks, board, genotype).active
    assert wiring.computed(genotype).any()


def test_a_changed_genotype_is_not_answered_from_memory() -> None:
    networks = [random_network(1, "a"), random_network(2, "b")]
    graphs = [network.graph for network in networks]
    wiring = Reachability(graphs, make_switchboard(graphs, matching_of(("pool", "pool"))))
    genotype = np.array([0, 0, 0])
    assert wiring.signature(genotype) == ((0, 0), (2, 0))
    genotype[0] = 1
    assert wiring.signature(genotype) == ((0, 1), (2, 0))
    genotype[2] = 1
    assert wiring.signature(genotype) == ((1, 0), (2, 1))


def test_all_original_genotypes_cost_what_the_networks_do() -> None:
    networks, board, wiring = supernet(5, 2)
    originals = np.zeros(len(board.cardinalities), dtype=np.int64)
    costs = [network.multiply_adds for network in networks]
    for choice, expected in enumerate([*costs, sum(costs)]):
        originals[-1] = choice
        assert wiring.multiply_adds(originals) <= expected  # nodes no output reads are left out
        assert wiring.multiply_adds(originals) == walked(networks, board, originals).multiply_adds

"""Examples for the tests of matching: random graphs, the slow way, and the recorded networks."""

import json
from itertools import product
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from netstitch.matching.acyclic.partial_order import partial_order, topological_order

CASES = {"imagenet-a": 333, "imagenet-b": 207, "voc": 60}


@st.composite
def graphs(draw, most=4, least=0):
    """(n, edges) of an acyclic graph whose numbers are in no particular order."""
    n = draw(st.integers(least, most))
    numbers = draw(st.permutations(range(n)))
    possible = [(numbers[i], numbers[j]) for j in range(n) for i in range(j)]
    return n, draw(st.lists(st.sampled_from(possible), max_size=2 * n)) if possible else []


def weight_tables(n_a, n_b, weight):
    rows = st.lists(weight, min_size=n_b, max_size=n_b)
    return st.lists(rows, min_size=n_a, max_size=n_a).map(
        lambda table: np.array(table, float).reshape(n_a, n_b)
    )


def orders(n_a, edges_a, n_b, edges_b):
    """The partial orders of all nodes of both graphs."""
    return (
        partial_order(topological_order(n_a, edges_a, "A"), edges_a, range(n_a)),
        partial_order(topological_order(n_b, edges_b, "B"), edges_b, range(n_b)),
    )


@st.composite
def problems(draw, weight, most=4):
    n_a, edges_a = draw(graphs(most))
    n_b, edges_b = draw(graphs(most))
    return n_a, edges_a, n_b, edges_b, draw(weight_tables(n_a, n_b, weight))


small_integers = st.sampled_from([0, 0, 1, 1, 2, 3])
any_floats = st.one_of(st.just(0.0), st.floats(1e-3, 10.0))


def merged_has_cycle(n_a, edges_a, n_b, edges_b, pairs):
    """Follows all ways through the merged graph, one step longer each time."""
    name = {("b", j): ("b", j) for j in range(n_b)} | {("b", j): ("a", i) for i, j in pairs}
    steps = {(("a", s), ("a", t)) for s, t in edges_a}
    steps |= {(name["b", s], name["b", t]) for s, t in edges_b}
    ways = steps
    for _ in range(n_a + n_b):
        if any(s == t for s, t in ways):
            return True
        ways = {(s, v) for s, t in ways for u, v in steps if t == u}
    return False


def all_acyclic_matchings(n_a, edges_a, n_b, edges_b, weights, chosen=()):
    """Every one. Taking a pair out of an acyclic matching leaves one, so each is reached."""
    yield chosen
    last = chosen[-1] if chosen else (-1, -1)
    for i, j in product(range(n_a), range(n_b)):
        free = all(i != x and j != y for x, y in chosen)
        if (i, j) > last and free and weights[i, j] > 0:
            more = (*chosen, (i, j))
            if not merged_has_cycle(n_a, edges_a, n_b, edges_b, more):
                yield from all_acyclic_matchings(n_a, edges_a, n_b, edges_b, weights, more)


def slow_maximum(n_a, edges_a, n_b, edges_b, weights):
    return max(
        sum(weights[pair] for pair in pairs)
        for pairs in all_acyclic_matchings(n_a, edges_a, n_b, edges_b, weights)
    )


def recorded(name):
    """(n_a, edges_a, n_b, edges_b, weights) of a recorded case; 1 where compatible."""
    case = json.loads((Path(__file__).parent / "cases" / f"{name}.json").read_text())
    sides = []
    for graph in (case["a"], case["b"]):
        ends = (graph["input"], graph["output"])
        sizes = [
            tuple(shape[2:]) if shape is not None and number not in ends else None
            for number, _, shape in graph["nodes"]
        ]
        sides.append((len(sizes), [tuple(edge) for edge in graph["edges"]], sizes))
    (n_a, edges_a, sizes_a), (n_b, edges_b, sizes_b) = sides
    weights = np.array([[a is not None and a == b for b in sizes_b] for a in sizes_a], float)
    assert weights.sum() == case["compatible_pairs"]
    return n_a, edges_a, n_b, edges_b, weights


def branches(rng, length, width, crossing=0.1):
    """Parallel chains with a few links between them: 2**width downsets and many more."""
    edges = []
    for layer in range(1, length):
        for lane in range(width):
            edges.append(((layer - 1) * width + lane, layer * width + lane))
            if rng.random() < crossing:
                edges.append(((layer - 1) * width + int(rng.integers(width)), edges[-1][1]))
    return length * width, edges

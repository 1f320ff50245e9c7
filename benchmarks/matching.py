"""Matching on the recorded networks: the exact programme against two baselines of the same run.

    python benchmarks/matching.py

Per case, with a weight of 1 and with random weights: pairs and weight, the states of the programme,
and its seconds after compilation, against (1) the same programme over one linear order of each
graph, which is faster and may find less, and (2), on the smallest case, the same programme in plain
Python. `solver` is `maximum_acyclic_matching` as a whole. Compilation is measured first, without
numba's cache.
"""

import json
import os
import tempfile
import time
from math import fsum
from pathlib import Path

if __name__ == "__main__":
    # An empty cache, so that the seconds of compilation are those of a first start.
    CACHE = tempfile.TemporaryDirectory(prefix="matching-benchmark-")
    os.environ["NUMBA_CACHE_DIR"] = CACHE.name

import numpy as np

from netstitch.matching.acyclic.downsets import Downsets, chain, downsets
from netstitch.matching.acyclic.dynamic_program import PairWeights, heaviest_way, pairs_of
from netstitch.matching.acyclic.partial_order import partial_order, topological_order
from netstitch.matching.acyclic.solver import STATE_CAP, maximum_acyclic_matching

CASES = Path(__file__).parent.parent / "tests" / "matching" / "cases"
Problem = tuple[int, list[tuple[int, int]], int, list[tuple[int, int]], PairWeights]


def read(name: str) -> Problem:
    """The graphs of a recorded case, and 1 where nodes are compatible."""
    case = json.loads((CASES / f"{name}.json").read_text())
    a, b = case["a"], case["b"]
    sizes = [
        [
            tuple(shape[2:])
            if shape is not None and node not in (g["input"], g["output"])
            else None
            for node, _, shape in g["nodes"]
        ]
        for g in (a, b)
    ]
    weights = np.array([[x is not None and x == y for y in sizes[1]] for x in sizes[0]], np.float64)
    edges = [[(source, target) for source, target in g["edges"]] for g in (a, b)]
    return len(sizes[0]), edges[0], len(sizes[1]), edges[1], weights


def plain_python(a: Downsets, b: Downsets, weights: PairWeights) -> float:
    """The programme's maximum without compilation."""
    starts_a, nodes_a, targets_a = a.starts.tolist(), a.nodes.tolist(), a.targets.tolist()
    starts_b, nodes_b, targets_b = b.starts.tolist(), b.nodes.tolist(), b.targets.tolist()
    table = weights.tolist()
    best = [[0.0] * len(b) for _ in range(len(a))]
    for s in reversed(range(len(a))):
        for t in reversed(range(len(b))):
            moves_a = range(starts_a[s], starts_a[s + 1])
            moves_b = range(starts_b[t], starts_b[t + 1])
            top = max((best[targets_a[x]][t] for x in moves_a), default=0.0)
            top = max(top, max((best[s][targets_b[y]] for y in moves_b), default=0.0))
            for x in moves_a:
                for y in moves_b:
                    weight = table[nodes_a[x]][nodes_b[y]]
                    if weight > 0:
                        top = max(top, weight + best[targets_a[x]][targets_b[y]])
            best[s][t] = top
    return best[0][0]


def report(name: str, kind: str, problem: Problem, with_python: bool) -> None:
    n_a, edges_a, n_b, edges_b, weights = problem
    kept_a = np.flatnonzero(weights.any(axis=1)).tolist()
    kept_b = np.flatnonzero(weights.any(axis=0)).tolist()
    started = time.perf_counter()
    order_a = partial_order(topological_order(n_a, edges_a, "A"), edges_a, kept_a)
    order_b = partial_order(topological_order(n_b, edges_b, "B"), edges_b, kept_b)
    a = downsets(order_a, STATE_CAP, STATE_CAP)
    b = downsets(order_b, STATE_CAP, STATE_CAP)
    assert a is not None
    assert b is not None
    exact = pairs_of(heaviest_way(a, b, weights))
    seconds = time.perf_counter() - started

    started = time.perf_counter()
    line_a, line_b = chain(order_a), chain(order_b)
    linear = pairs_of(heaviest_way(line_a, line_b, weights))
    linear_seconds = time.perf_counter() - started

    started = time.perf_counter()
    found = maximum_acyclic_matching(n_a, edges_a, n_b, edges_b, weights)
    solver_seconds = time.perf_counter() - started

    weight = fsum(weights[pair] for pair in exact)
    linear_weight = fsum(weights[pair] for pair in linear)
    states, linear_states = len(a) * len(b), len(line_a) * len(line_b)
    print(f"{name}, {kind} weights")
    print(
        f"  programme     {len(exact):4} pairs, weight {weight:8.3f}, {states:>9,} states "
        f"({len(a):,} x {len(b):,}), {seconds:7.4f} s"
    )
    print(
        f"  linear order  {len(linear):4} pairs, weight {linear_weight:8.3f}, "
        f"{linear_states:>9,} states, {linear_seconds:7.4f} s: the programme takes "
        f"{seconds / linear_seconds:.1f} x the time, {states / linear_states:.1f} x the states, "
        f"for {weight / linear_weight:.4f} x the weight"
    )
    print(
        f"  solver        {len(found.pairs):4} pairs, weight {found.weight:8.3f}, "
        f"upper bound {found.upper_bound:8.3f}, {solver_seconds:7.4f} s, {found.method}"
    )
    if with_python:
        started = time.perf_counter()
        same = plain_python(a, b, weights)
        python_seconds = time.perf_counter() - started
        assert abs(same - weight) <= 1e-9 * weight
        print(
            f"  plain Python                   {same:8.3f}, {python_seconds:7.4f} s: "
            f"the compiled programme is {python_seconds / seconds:.0f} x as fast"
        )


def main() -> None:
    started = time.perf_counter()
    maximum_acyclic_matching(2, [(0, 1)], 2, [(0, 1)], [[0, 1], [1, 0]])
    print(f"compilation, and the first use of the solver: {time.perf_counter() - started:.2f} s")
    rng = np.random.default_rng(1)
    for name in ("imagenet-b", "imagenet-a", "voc"):
        problem = read(name)
        report(name, "unit", problem, with_python=name == "imagenet-b")
        random = problem[-1] * rng.random(problem[-1].shape)
        report(name, "random", (*problem[:-1], random), with_python=name == "imagenet-b")


if __name__ == "__main__":
    main()

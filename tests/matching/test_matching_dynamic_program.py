from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from matching_examples import any_floats, orders, problems, slow_maximum, small_integers

from netstitch.matching import is_acyclic
from netstitch.matching.acyclic.downsets import chain, downsets
from netstitch.matching.acyclic.dynamic_program import heaviest_way, pairs_of

ROOM = 10**6


def heaviest_pairs(n_a, edges_a, n_b, edges_b, weights):
    a, b = orders(n_a, edges_a, n_b, edges_b)
    return pairs_of(heaviest_way(downsets(a, ROOM, ROOM), downsets(b, ROOM, ROOM), weights))


def slow_steps(n_a, edges_a, n_b, edges_b, weights):
    """The same rule over sets of nodes: of the heaviest moves, the first."""
    a, b = orders(n_a, edges_a, n_b, edges_b)

    def ready(order, edges, done):
        return [
            v for v in order.nodes if v not in done and all(s in done for s, t in edges if t == v)
        ]

    @cache
    def solve(done_a, done_b):
        moves_a, moves_b = ready(a, edges_a, done_a), ready(b, edges_b, done_b)
        moves = [(i, j) for i in moves_a for j in moves_b if weights[i, j] > 0]
        moves += [(i, None) for i in moves_a] + [(None, j) for j in moves_b]
        best = (0, ())
        for number, (i, j) in enumerate(moves):
            rest, steps = solve(done_a | {i} - {None}, done_b | {j} - {None})
            total = rest + (weights[i, j] if i is not None and j is not None else 0)
            if number == 0 or total > best[0]:
                best = (total, ((i, j), *steps))
        return best

    return list(solve(frozenset(), frozenset())[1])


@settings(deadline=None, max_examples=2000)
@given(problems(small_integers))
def test_equals_brute_force_on_integer_weights(problem):
    *graphs, weights = problem
    pairs = heaviest_pairs(*problem)
    assert is_acyclic(*graphs, pairs)
    assert sum(weights[pair] for pair in pairs) == slow_maximum(*problem)


@settings(deadline=None, max_examples=1000)
@given(problems(any_floats))
def test_equals_brute_force_on_any_weights(problem):
    *graphs, weights = problem
    pairs = heaviest_pairs(*problem)
    assert is_acyclic(*graphs, pairs)
    total = sum(weights[pair] for pair in pairs)
    assert total == pytest.approx(slow_maximum(*problem), rel=1e-12)


@settings(deadline=None, max_examples=300)
@given(problems(small_integers))
def test_takes_the_first_of_the_heaviest_moves(problem):
    a, b = orders(*problem[:4])
    steps = heaviest_way(downsets(a, ROOM, ROOM), downsets(b, ROOM, ROOM), problem[4])
    assert steps == slow_steps(*problem)


@settings(deadline=None)
@given(problems(any_floats))
def test_a_linear_order_is_a_lower_bound(problem):
    *graphs, weights = problem
    a, b = orders(*graphs)
    steps = heaviest_way(chain(a), chain(b), weights)
    assert [i for i, _ in steps if i is not None] == list(a.nodes)
    assert [j for _, j in steps if j is not None] == list(b.nodes)
    assert is_acyclic(*graphs, pairs_of(steps))
    total = sum(weights[pair] for pair in pairs_of(steps))
    assert total <= slow_maximum(*problem) * (1 + 1e-12)


def test_small_weights_count_beside_large_ones():
    weights = np.array([[1e9, 0.0], [0.0, 1e-3]])
    assert heaviest_pairs(2, [(0, 1)], 2, [(0, 1)], weights) == ((0, 0), (1, 1))

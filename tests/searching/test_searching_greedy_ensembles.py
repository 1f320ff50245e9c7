"""Greedy ensemble selection against a slow twin, and against all sets that there are."""

from itertools import combinations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from netstitch.searching.greedy_ensembles import greedy_sets
from netstitch.stitching.subgraph import Ensemble
from netstitch.tasks.task_outputs import average

Sets = dict[tuple[int, ...], float]


def drawn(seed: int, count: int) -> tuple[list[Tensor], list[float], list[float], Tensor]:
    """Outputs for 40 samples of networks that are right in part, costs, weights, and labels."""
    random = np.random.default_rng(seed)
    labels = torch.tensor(random.integers(0, 3, 40))
    right = torch.nn.functional.one_hot(labels, 3).double()
    noise = [torch.tensor(random.standard_normal((40, 3))) for _ in range(count)]
    outputs = [right * random.uniform(0, 1.5) + each for each in noise]
    costs = random.integers(1, 9, count).astype(float).tolist()
    return outputs, costs, random.uniform(0.2, 3, count).tolist(), labels


def plainly(
    outputs: list[Tensor], weights: list[float], rule: Ensemble, subset: tuple[int, ...]
) -> Tensor:
    shares = [weights[one] / sum(weights[i] for i in subset) for one in subset]
    return average([outputs[one] for one in subset], shares, rule)


def undominated(tried: Sets, costs: list[float]) -> list[tuple[int, ...]]:
    """Sets that score more than all others that cost no more, of equal ones the smallest."""
    cost = {subset: sum(costs[one] for one in subset) for subset in tried}

    def order(subset: tuple[int, ...]) -> tuple[float, float, int, tuple[int, ...]]:
        return cost[subset], -tried[subset], len(subset), subset

    return [
        subset
        for subset in sorted(tried, key=order)
        if not any(
            order(other) < order(subset) and tried[other] >= tried[subset] for other in tried
        )
    ]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(2, 6), logits=st.booleans())
def test_equals_the_slow_twin(seed: int, count: int, logits: bool) -> None:
    outputs, costs, weights, labels = drawn(seed, count)
    rule: Ensemble = "logits" if logits else "probabilities"
    tried: Sets = {}

    def accuracy(mean: Tensor) -> float:
        return float((mean.argmax(1) == labels).double().mean())

    def score(subset: set[int]) -> float:
        key = tuple(sorted(subset))
        tried[key] = accuracy(plainly(outputs, weights, rule, key))
        return tried[key]

    for start in range(count):
        subset = {start}
        score(subset)
        while len(subset) < count:
            others = [one for one in range(count) if one not in subset]
            subset.add(max(others, key=lambda one: (score({*subset, one}), -costs[one], -one)))
    several = [one for one in undominated(tried, costs) if 1 < len(one) < count]
    expected = [*((one,) for one in range(count)), *several, tuple(range(count))]
    assert [*greedy_sets(outputs, costs, accuracy, rule=rule, weights=weights)] == expected


def test_little_is_missed_of_what_all_sets_come_to() -> None:
    missed = []
    for seed in range(40):
        outputs, costs, weights, labels = drawn(seed, 6)

        def accuracy(mean: Tensor, labels: Tensor = labels) -> float:
            return float((mean.argmax(1) == labels).double().mean())

        every = {
            subset: accuracy(plainly(outputs, weights, "logits", subset))
            for size in range(1, 7)
            for subset in combinations(range(6), size)
        }
        found = greedy_sets(outputs, costs, accuracy, rule="logits", weights=weights)
        cost = {subset: sum(costs[one] for one in subset) for subset in every}
        for best in undominated(every, costs):
            reached = max(every[one] for one in found if cost[one] <= cost[best])
            missed.append(every[best] - reached)
    # Over all costs: the mean, and the most, one of the 40 samples.
    assert np.mean(missed) < 0.001
    assert max(missed) < 1.5 / 40


def test_networks_that_make_one_another_good_are_found_beside_the_best_alone() -> None:
    labels = torch.tensor([0, 1] * 8)
    sign = torch.where(labels == 0, 1.0, -1.0)
    half = torch.arange(16) < 8
    first = torch.stack([sign * half * 3 + ~half * 1.0, torch.zeros(16)], 1)
    second = torch.stack([sign * ~half * 3 + half * 1.0, torch.zeros(16)], 1)
    alone = torch.stack([sign * (torch.arange(16) < 13), torch.zeros(16)], 1)
    scores = []

    def accuracy(mean: Tensor) -> float:
        scores.append(mean)
        return float((mean.argmax(1) == labels).double().mean())

    found = greedy_sets(
        [first, second, alone], [2.0, 2.0, 3.0], accuracy, rule="logits", weights=[1.0, 1.0, 1.0]
    )
    assert found == ((0,), (1,), (2,), (0, 1), (0, 1, 2))
    assert len(scores) == 7  # each set once

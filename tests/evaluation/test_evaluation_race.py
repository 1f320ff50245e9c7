"""A race: the evaluations that go on after a part, and the values of those that do not."""

from math import sqrt
from statistics import NormalDist, fmean, pvariance

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from small_supernets import random_task, small_supernet

from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.evaluation.early_stopping import EarlyStopState
from netstitch.evaluation.evaluator import Objectives
from netstitch.evaluation.race import Race
from netstitch.optimization import StoppedEarly
from netstitch.tasks import Classification, Outputs, Task

BATCH = 4


class AsGiven(Classification):
    """A task whose outputs are what is right of each sample."""

    def correct(self, outputs: Outputs, labels: torch.Tensor) -> torch.Tensor:
        assert isinstance(outputs, torch.Tensor)
        return outputs


def as_given() -> Task:
    return AsGiven(validation=random_task().validation, classes=3)


def upper_end(right: list[float], known: list[list[float]]) -> float:
    """Return the end of the interval in plain Python: the mean, and so many standard errors."""
    m, n = len(right), len(known[0])
    found = []
    for network in known:
        differences = [ours - theirs for ours, theirs in zip(right, network, strict=False)]
        mean, variance = fmean(differences), pvariance(differences) + 1 / m
        error = sqrt(variance / m * (n - m) / n)
        found.append((variance, sum(network) + n * (mean + NormalDist().inv_cdf(0.95) * error)))
    least = n * min(*right, *(value for network in known for value in network))
    return max(least, min(found, key=lambda one: one[0])[1])


def rows(data: st.DataObject, count: int, length: int) -> list[list[float]]:
    value = st.sampled_from([0.0, 1.0])
    return [
        data.draw(st.lists(value, min_size=length, max_size=length), label=f"row {row}")
        for row in range(count)
    ]


@given(st.data())
@settings(deadline=None)
def test_the_interval_is_that_of_paired_differences(data: st.DataObject) -> None:
    n = data.draw(st.integers(2, 40))
    m = data.draw(st.integers(1, n - 1))
    known = rows(data, data.draw(st.integers(1, 3)), n)
    [right] = rows(data, 1, m)
    race = Race((m,), torch.tensor(known, dtype=torch.float64))
    assert race.most_right(torch.tensor(right)) == pytest.approx(upper_end(right, known), abs=1e-9)


def test_one_that_does_as_the_known_network_may_differ_by_little() -> None:
    known = torch.tensor([[True] * 900 + [False] * 100])
    order = torch.randperm(1000, generator=torch.Generator().manual_seed(0))
    race = Race((250,), known[:, order])
    most = race.most_right(race.known[0, :250])
    assert 900 < most < 910  # the plain interval of 250 samples reaches some 25 more


def test_one_that_is_never_right_has_no_accuracy_under_0() -> None:
    race = Race((90,), torch.tensor([[1.0] * 90 + [0.0] * 10]))
    assert race.most_right(torch.zeros(90)) == 0


def test_most_that_are_as_good_as_the_threshold_go_on() -> None:
    """Drawn at random, as good as the threshold to the sample, so in 95 of 100 draws."""
    generator = np.random.default_rng(1)
    known = generator.random(2000) < 0.85
    network = known.copy()
    network[generator.choice(2000, 250, replace=False)] ^= True
    stayed = 0
    for _ in range(400):
        order = generator.permutation(2000)
        race = Race((400,), torch.from_numpy(known[order][None]))
        most = race.most_right(torch.from_numpy(network[order][:400]))
        stayed += most > network.sum()
    assert 0.92 < stayed / 400 < 0.98


def decided(
    right: list[float], known: list[list[float]], ends: list[int], threshold: float
) -> tuple[bool, float, int]:
    """Return whether it ends early, its accuracy, and the samples seen, counted by batches."""
    n, most = len(right), float("inf")
    for seen in [*range(BATCH, n, BATCH), n]:
        if seen == n:
            break
        if seen in ends:
            most = upper_end(right[:seen], known)
        possible = min(sum(right[:seen]) + n - seen, most) / n
        if seen >= ends[0] and possible <= threshold:
            return True, possible, seen
    return False, sum(right) / n, n


@given(st.data())
@settings(deadline=None)
def test_it_ends_behind_a_part_or_where_that_is_certain(data: st.DataObject) -> None:
    n = data.draw(st.integers(2 * BATCH, 60))
    whole = list(range(BATCH, n, BATCH))
    ends = sorted(data.draw(st.sets(st.sampled_from(whole), min_size=1, max_size=3)))
    known = rows(data, 2, n)
    [right] = rows(data, 1, n)
    threshold = data.draw(st.floats(0, 1))
    expected = decided(right, known, ends, threshold)
    assume(abs(expected[1] - threshold) > 1e-9)
    labels = torch.zeros(n).split(BATCH)
    state = EarlyStopState(as_given(), labels, threshold, Race(tuple(ends), torch.tensor(known)))
    seen = 0
    for batch, outputs in enumerate(torch.tensor(right).split(BATCH)):
        state.add(batch, outputs)
        seen += len(outputs)
        if state.ended:
            break
    assert (state.stopped_early, seen) == (expected[0], expected[2])
    assert state.accuracy == pytest.approx(expected[1], abs=1e-9)


def test_who_has_no_threshold_is_evaluated_whole() -> None:
    supernet, task = small_supernet(), random_task()
    form = NumericsConfig(True, BATCH, 2)
    references = list(supernet.references().values())
    plain = Evaluator(supernet, task, task.validation, form)
    known = torch.stack([right for (right,) in plain.measured_together(references, task.correct)])
    race = Evaluator(supernet, task, task.validation, form, race=Race((8, 16), known))
    genotypes = [*references, np.ones_like(references[0])]
    assert race.together(genotypes) == plain.together(genotypes)
    found = race.together(genotypes, [1.0, None, None, 1.0])
    assert [type(one) for one in found] == [StoppedEarly, Objectives, Objectives, StoppedEarly]
    assert found[1:3] == plain.together(genotypes)[1:3]

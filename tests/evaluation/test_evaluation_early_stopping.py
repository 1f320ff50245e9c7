"""Evaluations that end early say no more than what is so."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_supernets import random_task, small_supernet

from netstitch.errors import DataError
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.evaluation import evaluator as module
from netstitch.evaluation.early_stopping import EarlyStopState
from netstitch.evaluation.evaluator import Objectives
from netstitch.evaluation.runtime.schedule import ExecutionPlan, KeyedOutputs
from netstitch.optimization import StoppedEarly
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Classification, Outputs, Task


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return small_supernet()


def random_genotypes(supernet: Supernet, seed: int, count: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    some = [generator.integers(0, supernet.cardinalities) for _ in range(count)]
    return [*supernet.references().values(), *some]


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 2, 3]),
    st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=9, max_size=9),
    st.integers(1, 4),
)
@settings(deadline=None, max_examples=25)
def test_what_ended_early_does_not_get_over_its_floor(
    supernet: Supernet,
    seed: int,
    workers: int,
    floors: list[float | None],
    together: int,
) -> None:
    task = random_task()
    plain = Evaluator(supernet, task, task.validation, NumericsConfig(True, 5, workers))
    early = Evaluator(supernet, task, task.validation, NumericsConfig(True, 5, workers))
    genotypes = random_genotypes(supernet, seed, 6)
    for start in range(0, len(genotypes), together):
        some = genotypes[start : start + together]
        asked = floors[start : start + len(some)]
        asked += [None] * (len(some) - len(asked))
        for genotype, floor, found in zip(some, asked, early.together(some, asked), strict=True):
            whole = plain(genotype)
            if isinstance(found, StoppedEarly):
                accuracy, cost = found.objectives
                assert floor is not None
                assert whole.accuracy <= accuracy <= floor
                assert cost == whole.cost
            else:
                assert found == whole


def test_what_is_said_does_not_depend_on_batches_side_by_side(supernet: Supernet) -> None:
    task = random_task()
    genotypes = random_genotypes(supernet, 1, 10)
    floors = [0.5] * len(genotypes)
    one, three = (
        Evaluator(supernet, task, task.validation, NumericsConfig(True, 5, workers))
        for workers in (1, 3)
    )
    together = three.together(genotypes, floors)
    assert together == [one.together([genotype], [0.5])[0] for genotype in genotypes]
    assert any(isinstance(found, StoppedEarly) for found in together)


def test_the_rest_is_not_computed(supernet: Supernet, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[int] = []
    execute = module.execute

    def counted(plan: ExecutionPlan, batch: torch.Tensor) -> list[KeyedOutputs]:
        computed.append(len(batch))
        return execute(plan, batch)

    monkeypatch.setattr(module, "execute", counted)
    task = random_task()
    evaluator = Evaluator(supernet, task, task.validation, NumericsConfig(True, 5, 1))
    [genotype] = random_genotypes(supernet, 1, 1)[-1:]
    [found] = evaluator.together([genotype], [0.99])
    assert isinstance(found, StoppedEarly)
    assert 0 < sum(computed) < len(task.validation)


@given(st.data())
@settings(deadline=None)
def test_certain_is_what_no_rest_can_change(data: st.DataObject) -> None:
    samples = data.draw(st.integers(1, 30))
    seen = data.draw(st.integers(0, samples))
    right = data.draw(st.integers(0, seen))
    floor = data.draw(st.floats(0, 1))
    labels = [torch.ones(seen), torch.ones(samples - seen)]
    state = EarlyStopState(share_of_ones(), labels, floor)
    state.add(0, torch.arange(seen) < right)
    possible = [(right + more) / samples for more in range(samples - seen + 1)]
    assert state.accuracy == max(possible)
    assert state.stopped_early == (seen < samples and max(possible) <= floor)


def share_of_ones() -> Task:
    """A task whose outputs are said to be right or not."""

    class Given(Classification):
        def correct(self, outputs: Outputs, labels: torch.Tensor) -> torch.Tensor:
            assert isinstance(outputs, torch.Tensor)
            return outputs

    return Given(validation=random_task().validation, classes=3)


def test_only_a_task_of_which_nothing_else_counts_may_end_early(supernet: Supernet) -> None:
    class Weighed(Classification):
        accuracy_of = None  # type: ignore[assignment]

        def accuracy(self, outputs: object, labels: torch.Tensor) -> float:
            return 0.1

    given_task = random_task()
    task = Weighed(validation=given_task.validation, classes=given_task.classes)
    assert task.accuracy_of is None
    evaluator = Evaluator(supernet, task, task.validation, NumericsConfig(True, 5, 1))
    genotypes = random_genotypes(supernet, 3, 3)
    found = evaluator.together(genotypes, [1.0] * len(genotypes))
    assert [type(one) for one in found] == [Objectives] * len(genotypes)


def test_outputs_that_are_not_finite_are_told_as_where_nothing_ends_early(
    supernet: Supernet,
) -> None:
    task = random_task()
    broken = replace(task.validation, inputs=task.validation.inputs.clone())
    broken.inputs[8] = torch.finfo(torch.float32).max
    evaluator = Evaluator(supernet, task, broken, NumericsConfig(True, 5, 2))
    genotypes = random_genotypes(supernet, 3, 4)
    plain = evaluator.together(genotypes)
    early = evaluator.together(genotypes, [0.0] * len(genotypes))
    assert any(isinstance(found, DataError) for found in plain)
    for found, expected in zip(early, plain, strict=True):
        if isinstance(expected, DataError):
            assert isinstance(found, DataError)
            assert "NaN or infinity in the outputs" in str(found)


def test_an_accuracy_of_its_own_is_not_that_of_the_class_it_comes_from() -> None:
    class Halved(Classification):
        def accuracy(self, outputs: Outputs, labels: torch.Tensor) -> float:
            return super().accuracy(outputs, labels) / 2

    class Both(Halved):
        def accuracy_of(self, right: int, samples: int) -> float:
            return right / samples / 2

    class Named(Classification):
        pass

    task = random_task()
    for kind, known in ((Halved, False), (Both, True), (Named, True)):
        assert (kind(validation=task.validation, classes=3).accuracy_of is not None) == known

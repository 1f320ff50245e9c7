import pytest
import torch
from torch import Tensor

from netstitch.errors import FittingError
from netstitch.fitting.training_samples import TrainingSamples

NUMBERS = torch.arange(48.0).reshape(48, 1)
HELD = [7.0, 15, 23, 31, 39, 47]
TRAINED = [float(i) for i in range(48) if i % 8 != 7]


def numbers(batches: list[Tensor]) -> list[float]:
    return torch.cat(batches).flatten().tolist()


def test_inputs_that_fit_are_shuffled_in_every_pass() -> None:
    samples = TrainingSamples(NUMBERS.split(10), 0.125, 10_000, seed=1)
    batches = list(samples.training_batches(4, samples=100))
    assert [len(batch) for batch in batches] == [4] * 25
    given = numbers(batches)
    first, second = given[:42], given[42:84]
    assert sorted(first) == sorted(second) == TRAINED
    assert first != TRAINED
    assert first != second
    assert numbers(list(samples.measured_batches(4))) == HELD
    assert samples.held_out == 6


def test_with_nothing_held_out_each_pass_is_over_all_inputs_in_an_order_of_its_own() -> None:
    samples = TrainingSamples(NUMBERS.split(10), 0.0, 10_000, seed=1)
    given = numbers(list(samples.training_batches(4, samples=480)))
    passes = [given[start : start + 48] for start in range(0, 480, 48)]
    assert all(sorted(one) == NUMBERS.flatten().tolist() for one in passes)
    assert len({tuple(one) for one in passes}) == 10
    assert samples.held_out == 0
    assert numbers(list(samples.measured_batches(4))) == HELD


def test_the_seed_decides_the_order() -> None:
    orders = [
        numbers(list(TrainingSamples([NUMBERS], 0.125, 10_000, seed).training_batches(8, 42)))
        for seed in (1, 1, 2)
    ]
    assert orders[0] == orders[1] != orders[2]


def test_the_last_batch_is_what_is_left() -> None:
    batches = list(TrainingSamples([NUMBERS], 0.125, 10_000, 0).training_batches(32, 40))
    assert [len(batch) for batch in batches] == [32, 8]


@pytest.mark.parametrize("size", [1, 5, 16, 48])
def test_inputs_that_do_not_fit_come_in_their_order(size: int) -> None:
    samples = TrainingSamples(NUMBERS.split(size), 0.125, 100, seed=1)
    batches = list(samples.training_batches(4, samples=90))
    assert [len(batch) for batch in batches] == [4] * 22 + [2]
    assert numbers(batches) == (TRAINED * 3)[:90]
    assert numbers(list(samples.measured_batches(4))) == HELD


def test_inputs_that_do_not_fit_are_all_trained_on_where_none_are_held_out() -> None:
    samples = TrainingSamples(NUMBERS.split(5), 0.0, 100, seed=1)
    given = numbers(list(samples.training_batches(4, samples=96)))
    assert given == NUMBERS.flatten().tolist() * 2
    assert numbers(list(samples.measured_batches(4))) == HELD


def test_held_out_inputs_are_kept_as_long_as_they_fit() -> None:
    samples = TrainingSamples(NUMBERS.split(8), 0.125, memory_budget=3 * 4, seed=1)
    list(samples.training_batches(4, samples=42))
    assert numbers(list(samples.measured_batches(4))) == HELD[:3]


def test_an_iterator_that_does_not_fit_may_be_long_enough() -> None:
    samples = TrainingSamples(iter(NUMBERS.split(8)), 0.125, 100, seed=1)
    assert numbers(list(samples.training_batches(4, samples=40))) == TRAINED[:40]


def test_an_iterator_that_ends_too_early_is_an_error() -> None:
    samples = TrainingSamples(iter(NUMBERS.split(8)), 0.125, 100, seed=1)
    with pytest.raises(FittingError, match=r"ended after 40 of 50 .* only once"):
        list(samples.training_batches(4, samples=50))


def test_an_iterator_that_fits_is_passed_over_repeatedly() -> None:
    samples = TrainingSamples(iter(NUMBERS.split(8)), 0.125, 10_000, seed=1)
    assert len(numbers(list(samples.training_batches(4, samples=100)))) == 100


@pytest.mark.parametrize("budget", [8, 10_000])
@pytest.mark.parametrize("holdout", [0.125, 0.0])
def test_too_few_samples_are_an_error(budget: int, holdout: float) -> None:
    samples = TrainingSamples(NUMBERS[:10].split(5), holdout, budget, seed=1)
    with pytest.raises(FittingError, match="at least 16"):
        list(samples.training_batches(4, samples=8))

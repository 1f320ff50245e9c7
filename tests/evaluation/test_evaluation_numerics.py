"""The numerical form: chosen by time, what it does to tensors, and the devices it runs on."""

from collections.abc import Callable

import pytest
import torch
from small_supernets import random_samples, small_supernet
from torch import Tensor

from netstitch.errors import SearchError
from netstitch.evaluation import NumericsConfig, measure_numerics, usable_device
from netstitch.evaluation.numerics_choice import fastest_numerics
from netstitch.threads import available_cores, batch_workers, threads

ANY = NumericsConfig(False, 1, 1)


class Clock:
    """Seconds that pass only while a network runs."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def prepared(
    clock: Clock, cost: Callable[[NumericsConfig, int], float]
) -> Callable[[NumericsConfig], object]:
    def prepare(form: NumericsConfig) -> Callable[[Tensor], None]:
        def run(batch: Tensor) -> None:
            clock.now += cost(form, len(batch))

        return run

    return prepare


def chosen(
    cost: Callable[[NumericsConfig, int], float], samples: int, workers: int = 1
) -> NumericsConfig:
    clock = Clock()
    like = NumericsConfig(False, 1, workers)
    return fastest_numerics(prepared(clock, cost), torch.zeros(samples, 1, 2, 2), like, clock=clock)


@pytest.mark.parametrize(
    "fast",
    [NumericsConfig(True, 64, 1), NumericsConfig(False, 256, 1), NumericsConfig(False, 32, 1)],
)
def test_the_fastest_candidate_is_chosen(fast: NumericsConfig) -> None:
    assert chosen(lambda form, n: n * (1 if form == fast else 2), samples=1024) == fast


def test_a_batch_for_each_worker_is_worth_more_than_a_large_one() -> None:
    def cost(form: NumericsConfig, n: int) -> float:
        return 10 + n

    assert chosen(cost, samples=256).batch == 256
    assert chosen(cost, samples=256, workers=4).batch == 64


def test_the_first_call_of_a_candidate_is_not_timed() -> None:
    clock, calls = Clock(), {True: 0, False: 0}

    def prepare(form: NumericsConfig) -> Callable[[Tensor], None]:
        def run(batch: Tensor) -> None:
            calls[form.channels_last] += 1
            first = calls[form.channels_last] == 1
            clock.now += 1000 if first and form.channels_last else 1 + (not form.channels_last)

        return run

    inputs = torch.zeros(64, 1, 2, 2)
    assert fastest_numerics(prepare, inputs, ANY, [32], clock).channels_last


def test_few_samples_are_one_batch() -> None:
    assert chosen(lambda form, n: n, samples=5).batch == 5


def test_inputs_that_are_no_images_have_one_layout() -> None:
    clock, seen = Clock(), []

    def prepare(form: NumericsConfig) -> Callable[[Tensor], None]:
        seen.append(form.channels_last)
        return lambda batch: None

    fastest_numerics(prepare, torch.zeros(64, 7), ANY, clock=clock)
    assert set(seen) == {False}


def test_rounds_count_what_each_worker_runs() -> None:
    assert NumericsConfig(True, 32, 2).rounds(100) == 2
    assert NumericsConfig(True, 32, 1).rounds(96) == 3
    assert NumericsConfig(True, 32, 8).rounds(1) == 1


def test_images_are_arranged_and_nothing_else_changes() -> None:
    images = torch.randn(2, 3, 4, 5)
    arranged = NumericsConfig(True, 1, 1).arrange(images)
    assert arranged.stride() == (60, 1, 15, 3)
    assert torch.equal(arranged, images)
    assert NumericsConfig(False, 1, 1).arrange(arranged).stride() == images.stride()
    assert NumericsConfig(True, 1, 1).arrange(torch.zeros(2, 1, 4, 5)).stride() == (20, 1, 5, 1)
    rows = torch.randn(4, 6).T
    assert NumericsConfig(True, 1, 1).arrange(rows).is_contiguous()


def test_threads_are_one_inside_and_restored_after_errors() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        inside: list[int] = []
        with pytest.raises(ValueError, match="mine"):
            _fail_inside(inside)
        assert inside == [1]
        assert torch.get_num_threads() == 2
        with batch_workers(2) as pool:
            assert list(pool.map(lambda _: torch.get_num_threads(), range(4))) == [1] * 4
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def _fail_inside(seen: list[int]) -> None:
    with threads(1):
        seen.append(torch.get_num_threads())
        raise ValueError("mine")


def test_a_supernet_is_measured_in_the_layout_of_its_evaluations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from netstitch.evaluation import numerics_choice as measuring

    seen = {}

    def timed(
        prepare: Callable[[NumericsConfig], Callable[[Tensor], list[Tensor]]],
        inputs: Tensor,
        *_: object,
    ) -> NumericsConfig:
        for channels_last in (True, False):
            form = NumericsConfig(channels_last, 4, 1)
            seen[channels_last] = prepare(form)(inputs[:4])[0]
        return form

    monkeypatch.setattr(measuring, "fastest_numerics", timed)
    supernet = small_supernet()
    inputs = random_samples(8).inputs
    measure_numerics(supernet, inputs)
    expected = supernet.subnetwork(supernet.genotype("ensemble"))(inputs[:4])
    for outputs in seen.values():
        assert torch.allclose(outputs, expected, atol=1e-6)


def test_workers_are_cores_on_the_processor_and_one_elsewhere() -> None:
    supernet, inputs = small_supernet(), random_samples(8).inputs
    assert measure_numerics(supernet, inputs).workers == available_cores()
    assert measure_numerics(supernet, inputs, workers=3).workers == 3
    assert measure_numerics(supernet, inputs).batch == 8


def test_one_channel_is_laid_out_channels_last_too() -> None:
    # Both layouts fit one channel; convolutions follow the strides, so they must say which.
    arranged = NumericsConfig(True, 8, 1).arrange(torch.zeros(4, 1, 3, 3))
    assert arranged.stride() == (9, 1, 3, 1)
    assert torch.conv2d(torch.zeros(2, 1, 5, 5), arranged).is_contiguous(
        memory_format=torch.channels_last
    )


# -- devices


def test_the_processor_is_usable() -> None:
    assert usable_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "cpu:x", "", "meta"])
def test_what_holds_no_tensor_is_an_error_of_one_line(name: str) -> None:
    with pytest.raises(SearchError, match="expected one that this machine has") as caught:
        usable_device(name)
    assert repr(name) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a machine with a GPU has it")
def test_a_device_that_is_not_there() -> None:
    with pytest.raises(SearchError, match="'cuda'"):
        usable_device("cuda")


def test_a_precision_that_a_device_does_not_have_is_an_error_of_one_line() -> None:
    assert usable_device("cpu", "bfloat16") == torch.device("cpu")
    with pytest.raises(SearchError, match="a precision of it, such as 'float32'") as caught:
        usable_device("meta", "float16")  # which computes nothing
    assert "device 'meta' in float16" in str(caught.value)
    assert "\n" not in str(caught.value)

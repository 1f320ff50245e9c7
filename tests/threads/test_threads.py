"""The number of threads is measured, and torch's own setting comes back."""

from collections.abc import Callable

import pytest
import torch

from netstitch.threads import available_cores, fastest_threads, threads


def slow_with(counts: set[int]) -> tuple[Callable[[], None], Callable[[], float]]:
    """Work whose calls take ten seconds of a made-up clock at these counts, otherwise one."""
    now = [0.0]

    def work() -> None:
        now[0] += 10 if torch.get_num_threads() in counts else 1

    return work, lambda: now[0]


@pytest.mark.parametrize(("slow", "expected"), [({1}, 2), ({2}, 1)])
def test_the_faster_number_of_threads_is_taken(slow: set[int], expected: int) -> None:
    before = torch.get_num_threads()
    work, clock = slow_with(slow)
    with fastest_threads(work, candidates=(1, 2), clock=clock) as chosen:
        assert chosen == expected
        assert torch.get_num_threads() == expected
    assert torch.get_num_threads() == before


def test_one_candidate_is_not_measured() -> None:
    def work() -> None:
        raise AssertionError("nothing to choose from")

    with fastest_threads(work, candidates=(1,)) as chosen:
        assert chosen == 1


def test_torchs_setting_comes_back_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(ValueError, match="inside"), threads(before + 1):
        raise ValueError("inside")
    assert torch.get_num_threads() == before


def test_there_is_a_core() -> None:
    assert available_cores() >= 1

"""Evaluations are attempted together where that is possible, and alone where it fails."""

from collections.abc import Sequence

import numpy as np
import pytest

from netstitch.optimization import BatchEvaluation, Genotype, StoppedEarly
from netstitch.optimization.executors.attempts import (
    Attempt,
    Thresholds,
    attempt_all,
    attempt_in_worker,
)
from netstitch.optimization.executors.executor import Request


def requests(*firsts: int, threshold: float | None = None) -> list[Request]:
    return [Request(ticket, np.array([first]), threshold) for ticket, first in enumerate(firsts)]


class Halved(BatchEvaluation):
    """Tells with how many a genotype came; cannot take a 7 together, nor evaluate a 9."""

    def __call__(self, genotype: Genotype) -> tuple[float, ...]:
        if genotype[0] == 9:
            raise ValueError("a nine")
        return (genotype[0] / 2, 1.0)

    def together(
        self, genotypes: Sequence[Genotype], thresholds: Thresholds | None = None
    ) -> list[tuple[float, ...] | StoppedEarly | Exception]:
        if any(genotype[0] == 7 for genotype in genotypes):
            raise MemoryError
        assert thresholds is not None
        return [
            StoppedEarly((threshold, 0.0))
            if threshold is not None
            else (genotype[0] / 2, float(len(genotypes)))
            for genotype, threshold in zip(genotypes, thresholds, strict=True)
        ]


def test_several_are_evaluated_together() -> None:
    found = attempt_all(Halved(), requests(2, 4)).attempts
    assert found == [Attempt((1.0, 2.0), None), Attempt((2.0, 2.0), None)]


def test_where_they_fail_together_each_is_tried_alone() -> None:
    found = attempt_all(Halved(), requests(7, 9)).attempts
    assert found == [Attempt((3.5, 1.0), None), Attempt(None, "ValueError: a nine")]


def test_one_with_a_threshold_may_stop_early() -> None:
    found = attempt_all(Halved(), requests(2, threshold=0.25)).attempts
    assert found == [Attempt((0.25, 0.0), None, stopped_early=True)]


def test_a_function_is_called_for_one_after_the_other() -> None:
    calls: list[int] = []

    def evaluate(genotype: Genotype) -> tuple[float, ...]:
        calls.append(int(genotype[0]))
        return (1.0,)

    assert attempt_all(evaluate, requests(3, 1)).attempts == [Attempt((1.0,), None)] * 2
    assert calls == [3, 1]


def test_only_a_worker_goes_on_after_what_ends_other_programs() -> None:
    def evaluate(genotype: Genotype) -> tuple[float, ...]:
        if genotype[0] == 9:
            raise SystemExit("enough")
        return (1.0,)

    with pytest.raises(SystemExit):
        attempt_all(evaluate, requests(1, 9))
    found = attempt_in_worker(evaluate, requests(1, 9)).attempts
    assert found == [Attempt((1.0,), None), Attempt(None, "SystemExit: enough")]


def test_each_result_has_its_part_of_the_seconds() -> None:
    asked = requests(2, 4)
    outcome = attempt_all(Halved(), asked)._replace(seconds=3.0)
    done = outcome.completed(asked, "here 1")
    assert [(one.ticket, one.seconds, one.worker) for one in done] == [
        (0, 1.5, "here 1"),
        (1, 1.5, "here 1"),
    ]

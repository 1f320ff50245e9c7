"""Problems, executors and slow twins that the tests of this folder share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from netstitch.optimization import (
    Completed,
    Evaluation,
    Executor,
    Genotype,
    Objective,
    Problem,
    SearchSettings,
    SerialExecutor,
    run_search,
)
from netstitch.optimization.executors.attempts import Evaluate
from netstitch.optimization.executors.executor import Request

ACCURACY_MACS = (Objective("accuracy", maximise=True), Objective("macs"))


def leading_ones_trailing_zeros(genotype: Genotype) -> tuple[float, float]:
    """LOTZ, a front of l + 1 genotypes that takes building blocks to find."""
    ones = (genotype != 0).astype(int)
    return float(np.cumprod(ones).sum()), float(np.cumprod(1 - ones[::-1]).sum())


def lotz(length: int) -> Problem:
    return Problem((2,) * length, (Objective("ones", True), Objective("zeros", True)))


def accuracy_and_macs(genotype: Genotype) -> tuple[float, float]:
    """A rugged trade-off on any cardinalities."""
    place = np.arange(1, len(genotype) + 1)
    return float(np.abs(np.sin(place * genotype)).mean()), float(genotype @ place)


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """Return whether costs `a` dominate `b`, by the definition."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and tuple(a) != tuple(b)


def nondominated(costs: Sequence[Sequence[float]]) -> list[tuple[float, ...]]:
    """The slow twin of every archive: each against each, sorted, without repeats."""
    rows = {tuple(row) for row in costs}
    return sorted(row for row in rows if not any(dominates(other, row) for other in rows))


class ShuffledExecutor(Executor):
    """Hands results back in random order, several at a time, like many machines would."""

    def __init__(
        self, evaluate: Callable[[Genotype], tuple[float, ...]], capacity: int, seed: int
    ) -> None:
        self.capacity = self.workers = capacity
        self.most_held = 0
        self._serial = SerialExecutor(evaluate)
        self._held: list[Request] = []
        self._generator = np.random.default_rng(seed)

    def submit(self, ticket: int, genotype: Genotype, threshold: float | None = None) -> None:
        self._held.append(Request(ticket, genotype, threshold))
        self.most_held = max(self.most_held, len(self._held))

    def wait(self) -> list[Completed]:
        self._generator.shuffle(self._held)  # type: ignore[arg-type]
        count = int(self._generator.integers(1, len(self._held) + 1))
        done, self._held = self._held[:count], self._held[count:]
        results = []
        for one in done:
            self._serial.submit(*one)
            results += self._serial.wait()
        return results

    def busy(self) -> float:
        return self._serial.busy()

    def cancel(self) -> None:
        self._held.clear()


class ClockedExecutor(SerialExecutor):
    """Evaluates one call after the other, by a clock of its own."""

    def __init__(
        self,
        evaluate: Evaluate,
        clock: Callable[[], float],
        capacity: int = 1,
    ) -> None:
        super().__init__(evaluate, capacity)
        self.now = clock  # type: ignore[method-assign]


def parted(options: Mapping[str, Any]) -> tuple[SearchSettings, dict[str, Any]]:
    """The settings among the options of a search, and the others."""
    names = SearchSettings.model_fields.keys() & options.keys()
    settings = SearchSettings(**{name: options[name] for name in names})
    return settings, {name: one for name, one in options.items() if name not in names}


def searched(algorithm: str, executor: Executor) -> list[Evaluation]:
    """Evaluations of a small search, in the order in which it was given them."""
    records: list[Evaluation] = []
    run_search(
        lotz(20),
        executor,
        SearchSettings(evaluations=60, algorithm=algorithm, population=8),
        seed=3,
        on_evaluation=records.append,
    )
    return records


def results(executor: Executor, *firsts: int) -> dict[int, Completed]:
    """Return results of genotypes with these first values, by value; each is handed back once."""
    for ticket, first in enumerate(firsts):
        executor.submit(ticket, np.array([first]))
    done: list[Completed] = []
    while more := executor.wait():
        done += more
    assert sorted(each.ticket for each in done) == list(range(len(firsts)))
    return {firsts[each.ticket]: each for each in done}

"""Times how long a search that was stopped takes to be where it was.

    python benchmarks/resuming.py [--evaluations 200000] [--algorithm ga] [--in-flight 90]

A search of the pair "old-demo" with the record of a run: every result in the store, states beside
it. Nothing is evaluated: the accuracy is made up of the genotype's multiply-adds and stitches and
of a digest, so that the search goes its way without tensors. With more than one in flight, results
come in an order of chance. The process then forgets everything, and the same search is begun again;
the clock stops when it asks for an evaluation that is not known. Once with the last state that was
saved as the run went, once with the store alone.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pairs import load_supernet

from netstitch.evaluation import Store
from netstitch.optimization import Completed, Engine, Executor
from netstitch.optimization.executors.replay import ReplayExecutor
from netstitch.searching.search_recorder import SearchRecorder
from netstitch.searching.supernet_search_settings import SupernetSearchSettings
from netstitch.searching.sweep import SupernetSearch
from netstitch.supernet.supernet import Supernet

POPULATION = 512
Genotype = NDArray[np.int64]


class EnoughError(Exception):
    """As many evaluations as were asked are done."""


class MadeUp(Executor):
    """An executor that gives results in an order of chance, and stops the search at `limit`."""

    def __init__(
        self, objectives: Callable[[Genotype], tuple[float, float]], in_flight: int, limit: int
    ) -> None:
        self.capacity = self.workers = in_flight
        self._objectives, self._limit = objectives, limit
        self._pending: list[tuple[int, Genotype]] = []
        self._generator = np.random.default_rng(0)
        self.done = 0

    def submit(self, ticket: int, genotype: Genotype, threshold: float | None = None) -> None:
        self._pending.append((ticket, genotype))

    def wait(self) -> list[Completed]:
        if self.done >= self._limit:
            raise EnoughError
        ticket, genotype = self._pending.pop(self._generator.integers(len(self._pending)))
        self.done += 1
        return [Completed(ticket, self._objectives(genotype), None, 0.0)]

    def busy(self) -> float:
        return 0.0

    def cancel(self) -> None:
        self._pending.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description="Time until a stopped search goes on")
    parser.add_argument("--evaluations", type=int, default=200_000)
    parser.add_argument("--algorithm", default="ga")
    parser.add_argument("--in-flight", type=int, default=90)
    options = parser.parse_args()
    supernet = load_supernet("old-demo")
    whole = supernet.macs(supernet.genotype("ensemble"))

    def objectives(genotype: Genotype) -> tuple[float, float]:
        cost = supernet.macs(genotype)
        chance = int.from_bytes(supernet.wiring.digest(genotype)[:4], "little") / 2**32
        stitches = int(np.count_nonzero(genotype[:-1]))
        return 0.9 - 0.3 * (1 - cost / whole) ** 2 - 0.01 * stitches - 0.05 * chance, float(cost)

    folder = Path(tempfile.mkdtemp())
    try:
        seconds, _ = searched(supernet, objectives, options, folder, options.evaluations)
        size = (folder / "evaluations.sqlite").stat().st_size
        print(
            f"{options.algorithm}, {options.evaluations:,} evaluations, {options.in_flight} in "
            f"flight: {seconds:.0f} s, store of {size / 1e6:.0f} MB\n\n"
            "| from | seconds | evaluated again |\n|---|---|---|",
            flush=True,
        )
        for name in ("the last state", "the store alone"):
            if name == "the store alone":
                (folder / f"search-{POPULATION}.state").unlink(missing_ok=True)
            seconds, done = searched(supernet, objectives, options, folder, 0)
            print(f"| {name} | {seconds:.1f} | {done} |", flush=True)
    finally:
        shutil.rmtree(folder)


def searched(
    supernet: Supernet,
    objectives: Callable[[Genotype], tuple[float, float]],
    options: argparse.Namespace,
    folder: Path,
    more: int,
) -> tuple[float, int]:
    """Seconds until so many more evaluations are done and one more is asked for, and how many."""
    started = time.perf_counter()
    settings = SupernetSearchSettings(
        algorithm=options.algorithm, evaluations=100 * options.evaluations, patience=10**9
    )
    search = SupernetSearch(supernet, settings, seed=1)
    path = folder / "evaluations.sqlite"
    executor = MadeUp(objectives, options.in_flight, more)
    names = [one.name for one in search.problem.objectives]
    with Store(path, names, create=not path.exists()) as store:
        record = SearchRecorder(folder, store)
        replaying = ReplayExecutor(executor, search.problem.identify, record.known)
        engine: Engine = search.engine(
            POPULATION,
            replaying,
            on_evaluation=record.keep,
            on_progress=lambda _: record.look(),
        )
        record.begin(POPULATION, search.problem.objectives, engine, replaying)
        try:
            engine.run()
        except EnoughError:
            return time.perf_counter() - started, executor.done
    raise SystemExit("the search ended by itself: give another algorithm")


if __name__ == "__main__":
    main()

"""Measures what a search costs for each evaluation of an objective that costs nothing.

    python benchmarks/search/overhead.py [--evaluations 200000] [--algorithms NAME ...]
    python benchmarks/search/overhead.py --evaluations 2000 --algorithms ga surrogate

413 variables (412 of two values, one of three), a population of 512, one core. The objectives are a
hash of the genotype, so that nothing converges. Milliseconds of processor time for each evaluation,
archive included, over the first tenth, all, and the last tenth, and the most memory the process
took; each algorithm in a process of its own. "pymoo" is its NSGA-II as a user of it would run it,
on the same problem, with its default operators for whole numbers and without an archive; "nsga2" is
ours of its parts. Milliseconds for a linkage tree are printed too. What has no population is left
out unless it is named: 200,000 proposals of the surrogate would take hours.
"""

import argparse
import os
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from hashlib import blake2b
from multiprocessing import get_context

# One core: processor time would count the threads of a matrix product too. Before numpy is loaded.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import numpy as np

from netstitch.optimization import (
    ALGORITHMS,
    Genotype,
    Objective,
    Problem,
    Progress,
    SearchSettings,
    SerialExecutor,
    run_search,
)
from netstitch.optimization.linkage.linkage_model import normalised_mutual_information, tree_subsets

PROBLEM = Problem((2,) * 412 + (3,), (Objective("accuracy", maximise=True), Objective("cost")))
POPULATION, TREES, PYMOO = 512, 20, "pymoo"


def hashed(genotype: Genotype) -> tuple[float, float]:
    """Two numbers in [0, 1) that nothing can be learned from."""
    digest = blake2b(genotype.tobytes(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "little") / 2**64, int.from_bytes(
        digest[8:], "little"
    ) / 2**64


def measure(algorithm: str, evaluations: int) -> tuple[float, float, float]:
    """Milliseconds for each evaluation: of the first tenth, of all, and of the last tenth."""
    marks = [time.process_time()]

    def mark(progress: Progress) -> None:
        if progress.evaluated % (evaluations // 10) == 0:
            marks.append(time.process_time())

    run_search(
        PROBLEM,
        SerialExecutor(hashed),
        SearchSettings(
            evaluations=evaluations, count_skipped=False, algorithm=algorithm, population=POPULATION
        ),
        on_progress=mark,
        seed=0,
    )
    tenths = 1000 * np.diff(marks) / (evaluations // 10)
    return tenths[0], tenths.mean(), tenths[-1]


def measure_pymoo(evaluations: int) -> tuple[float, float, float]:
    """As `measure`, of pymoo by itself."""
    import pymoo.config
    from pymoo.algorithms.moo.nsga2 import NSGA2
    from pymoo.core.callback import Callback
    from pymoo.core.problem import ElementwiseProblem
    from pymoo.operators.crossover.sbx import SBX
    from pymoo.operators.mutation.pm import PM
    from pymoo.operators.repair.rounding import RoundingRepair
    from pymoo.operators.sampling.rnd import IntegerRandomSampling
    from pymoo.optimize import minimize

    pymoo.config.Config.warnings["not_compiled"] = False
    most = np.array(PROBLEM.cardinalities) - 1
    marks: list[tuple[int, float]] = []

    class Hashed(ElementwiseProblem):
        def _evaluate(self, x: Genotype, out: dict[str, object], *rest: object, **more: object):
            accuracy, cost = hashed(x.astype(np.int64))
            out["F"] = [-accuracy, cost]

    class Mark(Callback):
        def notify(self, algorithm: NSGA2) -> None:
            marks.append((algorithm.evaluator.n_eval, time.process_time()))

    started = time.process_time()
    minimize(
        Hashed(n_var=PROBLEM.length, n_obj=2, xl=0, xu=most, vtype=int),
        NSGA2(
            POPULATION,
            sampling=IntegerRandomSampling(),
            crossover=SBX(vtype=float, repair=RoundingRepair()),
            mutation=PM(vtype=float, repair=RoundingRepair()),
        ),
        ("n_eval", evaluations),
        callback=Mark(),
        seed=0,
    )
    counts, times = np.array([(0, started), *marks]).T
    at = np.interp(np.linspace(0, evaluations, 11), counts, times)
    tenths = 1000 * np.diff(at) / (evaluations // 10)
    return tenths[0], tenths.mean(), tenths[-1]


def row(algorithm: str, evaluations: int) -> str:
    """A line of the table, in a process of its own."""
    found = measure_pymoo(evaluations) if algorithm == PYMOO else measure(algorithm, evaluations)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    times = " | ".join(f"{milliseconds:.2f} ms" for milliseconds in found)
    return f"| {algorithm} | {times} | {memory:.2f} GB |"


def main() -> None:
    parser = argparse.ArgumentParser(description="What a search costs for each evaluation")
    parser.add_argument("--evaluations", type=int, default=200_000)
    every = (*ALGORITHMS, PYMOO)
    usual = [name for name in every if name == PYMOO or ALGORITHMS[name].has_population]
    parser.add_argument("--algorithms", nargs="+", choices=every, default=usual)
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    genotypes = generator.integers(2, size=(POPULATION, PROBLEM.length))
    started = time.process_time()
    for _ in range(TREES):
        cardinalities = np.array(PROBLEM.cardinalities)
        information = normalised_mutual_information(genotypes, cardinalities)
        tree_subsets(information, cardinalities, generator)
    print(f"linkage tree: {1000 * (time.process_time() - started) / TREES:.1f} ms\n")
    print("| algorithm | first tenth | all | last tenth | memory |\n|---|---|---|---|---|")
    context = get_context("spawn")
    for algorithm in options.algorithms:
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            print(pool.submit(row, algorithm, options.evaluations).result(), flush=True)


if __name__ == "__main__":
    main()

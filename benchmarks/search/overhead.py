"""What a search itself costs for each evaluation, of an objective that costs nothing.

    python benchmarks/search/overhead.py [--evaluations 200000] [--algorithms NAME ...]

413 variables (412 of two values, one of three), a population of 512, one core. The objectives are a
hash of the genotype, so that nothing converges. Milliseconds of processor time for each evaluation,
archive included, over the first tenth, all, and the last tenth, and the most memory the process
took. Milliseconds for a linkage tree are printed too.
"""

import argparse
import resource
import time
from hashlib import blake2b

import numpy as np

from netstitch.optimization import (
    ALGORITHMS,
    Budget,
    Genotype,
    Objective,
    Problem,
    Progress,
    SerialExecutor,
    run_search,
)
from netstitch.optimization.linkage import linkage_subsets

PROBLEM = Problem((2,) * 412 + (3,), (Objective("accuracy", maximise=True), Objective("cost")))
POPULATION, TREES = 512, 20


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
        budget=Budget(evaluations, count_skipped=False),
        algorithm=algorithm,
        population=POPULATION,
        on_progress=mark,
    )
    tenths = 1000 * np.diff(marks) / (evaluations // 10)
    return tenths[0], tenths.mean(), tenths[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description="What a search costs for each evaluation")
    parser.add_argument("--evaluations", type=int, default=200_000)
    parser.add_argument("--algorithms", nargs="+", choices=sorted(ALGORITHMS))
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    genotypes = generator.integers(2, size=(POPULATION, PROBLEM.length))
    started = time.process_time()
    for _ in range(TREES):
        linkage_subsets(genotypes, np.array(PROBLEM.cardinalities), generator)
    print(f"linkage tree: {1000 * (time.process_time() - started) / TREES:.1f} ms\n")
    print("| algorithm | first tenth | all | last tenth | memory |\n|---|---|---|---|---|")
    for algorithm in options.algorithms or ALGORITHMS:
        first, everything, last = measure(algorithm, options.evaluations)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(
            f"| {algorithm} | {first:.2f} ms | {everything:.2f} ms | {last:.2f} ms | "
            f"{memory:.2f} GB |",
            flush=True,
        )


if __name__ == "__main__":
    main()

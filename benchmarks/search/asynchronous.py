"""Measures the cost of waiting: loops that wait for themselves only, and for one another.

    python benchmarks/search/asynchronous.py [--seeds 10] [--evaluations 10000]

On a simulated clock, so that it costs nothing and repeats exactly: 64 workers, 64 slots, and
evaluations of a problem shaped like stitching (40 variables, each a stitch of its own cost and
worth). Three kinds of durations, of 1 second in the mean: all "equal"; "heavy-tailed", log-normal
with sigma 1.5, drawn from the genotype and independent of its objectives; "by cost", in proportion
to the genotype's cost, as where cheap networks are evaluated faster.

"Time": of an asynchronous run over that of a synchronous one, where a loop waits for the steps
of all others, with as many evaluations. "Hypervolume": what the runs found, normalised
by the range of both objectives, of the synchronous one and the difference. "Cheap": the share of
evaluations in the cheaper half of all costs, and the same of the front's points; an asynchronous
search is biased if its are more. Medians over the seeds with Wilcoxon's signed-rank tests, for each
algorithm Holm-corrected over the durations.
"""

import argparse
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from math import exp
from multiprocessing import get_context
from statistics import NormalDist, median

import moocore
import numpy as np
from scipy.stats import wilcoxon

from netstitch.analysis.significance import holm
from netstitch.optimization import (
    Evaluation,
    Genotype,
    Initialisation,
    Objective,
    Problem,
    SearchSettings,
    SimulatedExecutor,
    run_search,
)

LENGTH, WORKERS, SIGMA = 40, 64, 1.5
ALGORITHMS = ("ga", "gomea", "lk-gomea", "nsga2")
PROBLEM = Problem((2,) * LENGTH, (Objective("worth", maximise=True), Objective("cost")))
_DRAWN = np.random.default_rng(7)
COSTS = _DRAWN.uniform(0.2, 1.8, LENGTH)
WORTHS = _DRAWN.uniform(0.2, 1.8, LENGTH)
TOGETHER = np.triu(_DRAWN.normal(0, 0.4, (LENGTH, LENGTH)), 1)
"""The worth of pairs of variables together, beside that of each."""

Duration = Callable[[Genotype], float]


def evaluate(genotype: Genotype) -> tuple[float, float]:
    """Worth and cost, both about 0 to 40."""
    return float(WORTHS @ genotype + genotype @ TOGETHER @ genotype), float(COSTS @ genotype)


def equal(genotype: Genotype) -> float:
    """One second."""
    return 1.0


def heavy(genotype: Genotype) -> float:
    """Log-normal, of mean 1, by chance that belongs to the genotype."""
    digest = blake2b(genotype.tobytes(), digest_size=8).digest()
    share = (int.from_bytes(digest, "little") + 0.5) / 2**64
    return exp(SIGMA * NormalDist().inv_cdf(share) - SIGMA**2 / 2)


def by_cost(genotype: Genotype) -> float:
    """In proportion to the cost; 1 for the mean of all genotypes."""
    return (0.01 + float(COSTS @ genotype)) / (0.01 + float(COSTS.sum()) / 2)


DURATIONS: dict[str, Duration] = {"equal": equal, "heavy-tailed": heavy, "by cost": by_cost}


@dataclass(frozen=True)
class Run:
    """Seconds on the simulated clock, the idle share, and what was found."""

    seconds: float
    idle: float
    hypervolume: float
    cheap: float
    cheap_front: float


def run(algorithm: str, duration: str, synchronous: bool, evaluations: int, seed: int) -> Run:
    """One search, in a process of its own."""
    seen: list[tuple[float, float]] = []

    def keep(evaluation: Evaluation) -> None:
        assert evaluation.objectives is not None
        seen.append((evaluation.objectives[0], evaluation.objectives[1]))

    executor = SimulatedExecutor(
        evaluate, DURATIONS[duration], workers=WORKERS, synchronous=synchronous
    )
    result = run_search(
        PROBLEM,
        executor,
        SearchSettings(
            evaluations=evaluations, count_skipped=False, algorithm=algorithm, population=WORKERS
        ),
        seed=seed,
        initialisation=Initialisation(probability=0.5, uniform=()),
        on_evaluation=keep,
    )
    front = np.array([one.objectives for one in result.archive])
    most = np.array([WORTHS.sum() + np.maximum(TOGETHER, 0).sum(), COSTS.sum()])
    half = COSTS.sum() / 2
    return Run(
        seconds=result.elapsed,
        idle=result.idle,
        hypervolume=float(
            moocore.hypervolume(front / most, ref=[0.0, 1.0], maximise=[True, False])
        ),
        cheap=float((np.array(seen)[:, 1] < half).mean()),
        cheap_front=float((front[:, 1] < half).mean()),
    )


def test(differences: Sequence[float]) -> float:
    """The p-value, 1 where nothing differs."""
    return float(wilcoxon(differences).pvalue) if any(differences) else 1.0


def told(pairs: Sequence[tuple[float, float]], corrected: float, unit: str) -> str:
    """A synchronous figure, the median difference of the asynchronous ones, and its p-value."""
    before = median(one for one, _ in pairs)
    change = median(other - one for one, other in pairs)
    return f"{before:{unit}} {change:+{unit}}, p = {corrected:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Asynchronous and synchronous searches")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--evaluations", type=int, default=10_000)
    parser.add_argument("--algorithms", nargs="+", choices=ALGORITHMS, default=list(ALGORITHMS))
    options = parser.parse_args()
    print(
        "| algorithm | durations | time | idle | hypervolume | cheap evaluations | cheap of the "
        "front |\n|---|---|---|---|---|---|---|"
    )
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for algorithm in options.algorithms:
            jobs = {
                duration: [
                    [
                        pool.submit(run, algorithm, duration, synchronous, options.evaluations, s)
                        for s in range(options.seeds)
                    ]
                    for synchronous in (True, False)
                ]
                for duration in DURATIONS
            }
            rows = {
                duration: list(zip(*([job.result() for job in own] for own in both), strict=True))
                for duration, both in jobs.items()
            }
            columns = ("hypervolume", "cheap", "cheap_front")
            values = {
                (duration, name): [(getattr(one, name), getattr(other, name)) for one, other in own]
                for duration, own in rows.items()
                for name in columns
            }
            corrected = {
                (duration, name): p
                for name in columns
                for duration, p in zip(
                    rows,
                    holm([test([b - a for a, b in values[d, name]]) for d in rows]),
                    strict=True,
                )
            }
            for duration, own in rows.items():
                cells = [
                    f"{median(b.seconds / a.seconds for a, b in own):.2f}",
                    f"{median(a.idle for a, _ in own):.0%} to {median(b.idle for _, b in own):.0%}",
                    *(
                        told(values[duration, name], corrected[duration, name], unit)
                        for name, unit in zip(columns, (".4f", ".1%", ".1%"), strict=True)
                    ),
                ]
                print(f"| {algorithm} | {duration} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

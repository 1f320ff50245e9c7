"""The searches on problems whose fronts are known.

    python benchmarks/search/known.py [--seeds 10] [--blocks 6] [--budget 12000]

Multi-objective Trap-5 against inverse Trap-5 (from all but one value, each block of five variables
points away from one of its two optima), with the variables of a block side by side ("tight") or
scattered ("loose"), and LOTZ (leading ones against trailing zeros) of as many variables. A
population of 64, first genotypes with each value as likely. For each: the runs that found the whole
front, the median of distinct evaluations until then (of all runs, where most found it), and of the
share of the front that was found; last, Wilcoxon's signed-rank test of that share against the
genetic algorithm's, Holm-corrected over the algorithms.
"""

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import median

import numpy as np
from scipy.stats import wilcoxon

from netstitch.analysis.correction import holm
from netstitch.optimization import (
    ALGORITHMS,
    Budget,
    Evaluation,
    Genotype,
    Initialisation,
    Objective,
    Problem,
    SerialExecutor,
    run_search,
)

BLOCK, POPULATION, SCATTER = 5, 64, 99
BASELINE = "ga"
KINDS = ("traps, tight", "traps, loose", "LOTZ")

Objectives = tuple[float, float]


def traps(blocks: int, loose: bool) -> tuple[Callable[[Genotype], Objectives], set[Objectives]]:
    """The objectives, both to be maximised, and their front."""
    order = np.arange(BLOCK * blocks)
    if loose:
        order = np.random.default_rng(SCATTER).permutation(order)

    def evaluate(genotype: Genotype) -> Objectives:
        ones = genotype[order].reshape(blocks, BLOCK).sum(axis=1)
        trap = np.where(ones == BLOCK, BLOCK, BLOCK - 1 - ones)
        inverse = np.where(ones == 0, BLOCK, ones - 1)
        return float(trap.sum()), float(inverse.sum())

    worse = BLOCK - 1
    front = {
        (float(BLOCK * k + worse * (blocks - k)), float(BLOCK * (blocks - k) + worse * k))
        for k in range(blocks + 1)
    }
    return evaluate, front


def lotz(length: int) -> tuple[Callable[[Genotype], Objectives], set[Objectives]]:
    """The objectives, both to be maximised, and their front."""

    def evaluate(genotype: Genotype) -> Objectives:
        return float(np.cumprod(genotype).sum()), float(np.cumprod(1 - genotype[::-1]).sum())

    return evaluate, {(float(k), float(length - k)) for k in range(length + 1)}


@dataclass(frozen=True)
class Run:
    """What one search found: the share of the front, and evaluations until all of it or None."""

    share: float
    covered: int | None


def run(kind: str, algorithm: str, blocks: int, budget: int, seed: int) -> Run:
    """One search, in a process of its own."""
    length = BLOCK * blocks
    evaluate, front = lotz(length) if kind == "LOTZ" else traps(blocks, kind == "traps, loose")
    missing = set(front)
    covered: list[int] = []

    def watch(evaluation: Evaluation) -> None:
        missing.discard(evaluation.objectives)  # type: ignore[arg-type]
        if not missing and not covered:
            covered.append(evaluation.ordinal)

    run_search(
        Problem((2,) * length, (Objective("first", True), Objective("second", True))),
        SerialExecutor(evaluate),
        budget=Budget(budget, count_skipped=False),
        algorithm=algorithm,
        population=POPULATION,
        seed=seed,
        initialisation=Initialisation(probability=0.5),
        on_evaluation=watch,
    )
    return Run(1 - len(missing) / len(front), covered[0] if covered else None)


def compared(runs: dict[str, list[Run]]) -> dict[str, str]:
    """Of each algorithm against the baseline."""
    plain = {}
    for algorithm, own in runs.items():
        pairs = zip(own, runs[BASELINE], strict=True)
        differences = [one.share - other.share for one, other in pairs]
        if any(differences):
            plain[algorithm] = float(wilcoxon(differences).pvalue)
    return {name: f"p = {p:.3f}" for name, p in zip(plain, holm(list(plain.values())), strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description="Searches on problems with known fronts")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--budget", type=int, default=12_000)
    options = parser.parse_args()
    print(
        "| problem | algorithm | whole front | evaluations until then | of the front | share "
        "against ga |\n|---|---|---|---|---|---|"
    )
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        for kind in KINDS:
            jobs = {
                algorithm: [
                    pool.submit(run, kind, algorithm, options.blocks, options.budget, seed)
                    for seed in range(options.seeds)
                ]
                for algorithm in ALGORITHMS
            }
            runs = {algorithm: [job.result() for job in own] for algorithm, own in jobs.items()}
            tests = compared(runs)
            for algorithm, own in runs.items():
                until = [r.covered or float("inf") for r in own]
                middle = median(until)
                print(
                    f"| {kind} | {algorithm} | {sum(r.covered is not None for r in own)} of "
                    f"{len(own)} | {'-' if middle == float('inf') else f'{middle:,.0f}'} | "
                    f"{100 * median(r.share for r in own):.0f} % | {tests.get(algorithm, '-')} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()

"""The searches on problems whose fronts are known.

    python benchmarks/search/known.py [--problems NAME ...] [--algorithms NAME ...] [--seeds 10]
                                      [--processes 2] [--out DIR] [--markdown]

Problems, with their sizes and budgets, are CASES; what they are and how their fronts are known is
told in `problems/`. All algorithms have the same population, budget of distinct evaluations, and
first genotypes; LK-GOMEA also with all of the population as donors. Parts of traps are drawn anew
for each seed, so that their runs are of as many problems. Results are appended to
DIR/search-known.jsonl as they come, and what is there is not done again; --markdown only prints
them.

For each: runs that saw the whole front, and distinct evaluations until then (a run that did not
counts as more than any that did); the share of the front at the end; and the hypervolume, in parts
of the front's own, at a tenth, a fifth, half, and all of the budget. Medians with interquartile
ranges. Tests are Wilcoxon's signed-rank over the seeds, two-sided, of the area under hypervolume
over evaluations (the mean of ten equal parts of the budget), so that earlier counts too: against
the genetic algorithm, of both LK-GOMEAs against GOMEA, and of each algorithm with a frozen frame
against itself without, Holm-corrected over all tests of a problem.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import moocore
import numpy as np
from problems.case import Case
from problems.landscapes import max_cut, nk
from problems.orders import lotz, zeros_ones
from problems.stitching import stitching
from problems.structures import best_of_traps, parts_of_front
from problems.traps import traps
from scipy.stats import wilcoxon

from netstitch.analysis.significance import holm
from netstitch.optimization import (
    ALGORITHMS,
    Evaluation,
    Problem,
    SearchSettings,
    SerialExecutor,
    run_search,
)

PARTS = 10
"""The parts of the budget; hypervolume is looked at after each."""

SHOWN = (1, 2, 5, 10)
PATIENCE = 5_000
"""Proposals in a row that bring nothing new, after which a search ends before its budget."""

BASELINE, TREE = "ga", "gomea"
FROZEN = {f"{name}, frame frozen": name for name in ("ga", "gomea", "lk-gomea")}
"""Ways whose frame of normalised objectives is frozen between assignments of weights, as in the
authors' code, and the algorithm that each is held against."""
KERNELS = ("lk-gomea", "lk-gomea, donors population")
CASES: Mapping[str, Callable[..., Case]] = {
    "traps, tight": partial(traps, "traps, tight", 6, False, 64, 12_000),
    "traps, loose": partial(traps, "traps, loose", 6, True, 64, 12_000),
    "best of traps": partial(best_of_traps, 2, 5, 128, 20_000, draw=5),
    "2 parts of traps": partial(parts_of_front, 2, 5, 128, 20_000),
    "4 parts of traps": partial(parts_of_front, 4, 4, 256, 20_000),
    "LOTZ": partial(lotz, 20, 32, 6_000),
    "ZeroMax-OneMax": partial(zeros_ones, 40, 64, 6_000),
    "NK landscapes": partial(nk, 18, 64, 6_000),
    "MAX-CUT": partial(max_cut, 18, 64, 6_000),
    "stitching": partial(stitching, 10, 64, 3_000),
}
DRAWN = ("2 parts of traps", "4 parts of traps")
FIRST_DRAW = 1_000
"""The draw of the first seed; each seed has the next one."""

WAYS = (
    {name: (name, {}) for name in ALGORITHMS}
    | {KERNELS[1]: ("lk-gomea", {"donors": "population"})}
    | {
        f"{name}, inactive {way}": (name, {"inactive": way})
        for name in ("ga", "gomea", "lk-gomea")
        for way in ("kept", "reset")
    }
    | {way: (name, {}) for way, name in FROZEN.items()}
)


def case_of(name: str, seed: int) -> Case:
    """The problem of a run."""
    return _case(name, FIRST_DRAW + seed if name in DRAWN else None)


@cache
def _case(name: str, draw: int | None) -> Case:
    """A problem, drawn where it is; its front is found once for each process."""
    return CASES[name]() if draw is None else CASES[name](draw=draw)


def ways_for(problem: Problem) -> list[str]:
    """All algorithms, and the ways to treat inactive variables where there are any."""
    inactive = problem.active is not None
    return [way for way, (_, settings) in WAYS.items() if inactive or "inactive" not in settings]


def run(name: str, way: str, seed: int) -> dict[str, Any]:
    """One search, in a process of its own."""
    case, (algorithm, settings) = case_of(name, seed), WAYS[way]
    missing = set(case.front)
    covered: list[int] = []
    seen: list[tuple[float, ...]] = []
    volumes: list[float] = []

    def watch(evaluation: Evaluation) -> None:
        assert evaluation.objectives is not None
        seen.append(evaluation.objectives)
        missing.discard(evaluation.objectives)
        if evaluation.ordinal % (case.budget // PARTS) == 0:
            volumes.append(volume(case, seen))
        if not missing:
            covered.append(evaluation.ordinal)
            raise KeyboardInterrupt  # ends the search; nothing that is measured can change now

    result = run_search(
        case.problem,
        SerialExecutor(case.evaluate),
        SearchSettings(
            evaluations=case.budget,
            count_skipped=False,
            algorithm=algorithm,
            population=case.population,
            settings=settings,
            frame="frozen" if way in FROZEN else "following",
            patience=PATIENCE,
        ),
        seed=seed,
        initialisation=case.initialisation,
        on_evaluation=watch,
    )
    volumes += [volume(case, seen)] * (PARTS - len(volumes))  # it may end before its budget
    whole = volume(case, list(case.front))
    return {
        "problem": name,
        "way": way,
        "seed": seed,
        "covered": covered[0] if covered else None,
        "share": 1 - len(missing) / len(case.front),
        "volumes": [one / whole for one in volumes],
        "evaluated": result.evaluated,
        "skipped": result.skipped,
        "stopped": result.stopped,
    }


def volume(case: Case, points: Sequence[tuple[float, ...]]) -> float:
    maximise = [objective.maximise for objective in case.problem.objectives]
    return float(moocore.hypervolume(np.array(points), ref=case.reference, maximise=maximise))


def table(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The results of a problem as Markdown."""
    case = case_of(name, 0)
    by_way = {way: [row for row in rows if row["way"] == way] for way in ways_for(case.problem)}
    tests = compared(by_way)
    lines = [
        f"{name}: {case.problem.length} variables, {len(case.front)} points of the front, "
        f"population {case.population}, {case.budget:,} evaluations.",
        "",
        "| algorithm | whole front | evaluations until then | of the front | "
        + " | ".join(f"{part * 100 // PARTS} %" for part in SHOWN)
        + " | against ga | against gomea | against itself |",
        "|---" * (7 + len(SHOWN)) + "|",
    ]
    for way, own in by_way.items():
        if not own:
            continue
        until = [row["covered"] or np.inf for row in own]
        cells = [way, f"{sum(map(np.isfinite, until))} of {len(own)}", evaluations(until)]
        cells.append(quartiles([100 * row["share"] for row in own], ".0f"))
        cells += [quartiles([row["volumes"][part - 1] for row in own], ".3f") for part in SHOWN]
        plain = way not in FROZEN
        cells += [tests.get((way, other), "") if plain else "" for other in (BASELINE, TREE)]
        cells.append(tests.get((way, FROZEN.get(way, "")), ""))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def evaluations(until: Sequence[float]) -> str:
    """The median and quartiles; "-" for one that is not reached."""
    found = np.quantile(until, [0.25, 0.5, 0.75], method="inverted_cdf")
    low, middle, high = (f"{one:,.0f}" if np.isfinite(one) else "-" for one in found)
    return middle if middle == "-" and low == "-" else f"{middle} ({low} to {high})"


def quartiles(values: Sequence[float], form: str) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:{form}} ({low:{form}} to {high:{form}})"


def compared(by_way: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[tuple[str, str], str]:
    """Tests of ways against another: the median difference of the areas, and p corrected."""
    pairs = [(way, BASELINE) for way in by_way if way != BASELINE and way not in FROZEN]
    pairs += [(way, TREE) for way in KERNELS]
    pairs += FROZEN.items()
    differences = {}
    for way, other in pairs:
        areas = [
            {row["seed"]: float(np.mean(row["volumes"])) for row in by_way[one]}
            for one in (way, other)
        ]
        seeds = sorted(areas[0].keys() & areas[1].keys())
        if seeds:
            differences[way, other] = [areas[0][seed] - areas[1][seed] for seed in seeds]
    plain = [float(wilcoxon(one).pvalue) if any(one) else 1.0 for one in differences.values()]
    return {
        pair: f"{np.median(own):+.3f}, p = {corrected:.3f}"
        for (pair, own), corrected in zip(differences.items(), holm(plain), strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Searches on problems with known fronts")
    parser.add_argument("--problems", nargs="+", choices=tuple(CASES), default=list(CASES))
    usual = [way for way, (name, _) in WAYS.items() if ALGORITHMS[name].has_population]
    parser.add_argument("--algorithms", nargs="+", choices=tuple(WAYS), default=usual)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "search-known.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    if not options.markdown:
        done = {(row["problem"], row["way"], row["seed"]) for row in rows}
        todo = [
            (name, way, seed)
            for name in options.problems
            for way in ways_for(case_of(name, 0).problem)
            if way in options.algorithms
            for seed in range(options.seeds)
            if (name, way, seed) not in done
        ]
        context = get_context("spawn")
        with ProcessPoolExecutor(options.processes, context) as pool, file.open("a") as log:
            for job in as_completed([pool.submit(run, *one) for one in todo]):
                rows.append(job.result())
                log.write(json.dumps(rows[-1]) + "\n")
                log.flush()
    for name in options.problems:
        own = [row for row in rows if row["problem"] == name]
        if own:
            print(table(name, own), end="\n\n", flush=True)


if __name__ == "__main__":
    main()

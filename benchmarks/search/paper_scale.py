"""Shows how searches spend the paper's budget on a supernet of the paper's size.

Run by `benchmarks/searches.py --paper-scale`: 309 variables (`problems/imagenet_a.py`), 512 slots,
200,000 evaluations with skipped ones counted, 6.18 stitches expected at first, a threshold that
reaches 0.5 at half of the budget, and 90 evaluations in flight that are done after random times, on
a simulated clock. Each algorithm is as the paper's procedure has it.

"Reassigned": how often weights were. "Passes": of mixing, begun and completed, without forced
improvements and those that had nothing to try. "First": the share of the budget that went into
first genotypes and first passes; with + where some of these were still under way. "Skipped": the
share that was not evaluated, since the signature was known or under way; "unchanged": the share
that the paper counts, where no switch that was active in the individual's last evaluated genotype
has changed. "Budget": the share that was spent when the search ended, and why it did. "Genotypes"
and "networks": different ones in the last population. Medians, with the least and the most of the
seeds. The paper's figures: medians of its section 8, those of the budget on ImageNet (a).

In the authors' code no individual seems to begin a second pass, as the way that calls for it waits
for a message that the evaluation never sends. With "one pass" neither does any here: the search
ends when all are done. (GOMEA's budget ends within first passes anyway.)
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from problems.imagenet_a import imagenet_a

from netstitch.experiments.run_settings import with_procedure
from netstitch.optimization import (
    ALGORITHMS,
    Algorithm,
    Genotype,
    Progress,
    SearchSettings,
    Setup,
    SimulatedExecutor,
    Solution,
    run_search,
)
from netstitch.optimization.algorithms.gomea import GenePoolMixing
from netstitch.optimization.linkage.gene_pool import Neighbourhoods
from netstitch.optimization.operators.gene_pool_mixing import Mixing
from netstitch.optimization.problem import State

SEEDS, EVALUATIONS, POPULATION, PLACES = 5, 200_000, 512, 90
ONCE = ", one pass"
SEARCHED = ("ga", "gomea", "lk-gomea", f"lk-gomea{ONCE}")
THRESHOLD = 0.5
PROCEDURE = {
    key: value
    for key, value in with_procedure({"procedure": "paper"})["search"].items()
    if key in SearchSettings.model_fields.keys() - {"algorithm"}  # references are a supernet's
}
"""The settings that --paper gives any search, by whichever algorithm."""

PAPER: Mapping[str, tuple[str, str]] = {"gomea": ("45 %", "100 %"), "lk-gomea": ("39 %", "83 %")}
"""Skipped, and the share of the budget at the end."""

SIGMA = 0.3
"""Standard deviation of the log-normal factor of an evaluation's time, beside its multiply-adds."""


class FirstPasses(Neighbourhoods):
    """Kernels of which only those of first passes let weights be assigned."""

    def reassigns(self, begun: int, slots: int) -> bool:
        return begun < slots


class Counted(Algorithm):
    """An algorithm whose doings are counted; `once`: each slot has one pass, and is done."""

    def __init__(self, counted: Any, once: bool) -> None:
        self.slots = counted.slots
        self._counted, self._once = counted, once
        self.reassigned = self.begun = self.completed = self.forced = self.in_first = 0
        self.passes = [0] * self.slots
        self._under_way = [False] * self.slots
        reassign = counted.population.reassign

        def counted_reassign(**options: bool) -> None:
            self.reassigned += 1
            reassign(**options)

        counted.population.reassign = counted_reassign
        if isinstance(counted, GenePoolMixing):
            self._count_passes(counted)
            if once:  # second passes are begun, but not made: they have no say in the weights
                counted.pool = FirstPasses(**vars(counted.pool))

    def _count_passes(self, mixed: Any) -> None:
        """Count passes that have a subset to try, from now on."""
        begin, after, force = mixed._begin, mixed._after, mixed._forced

        def counted_begin(slot: int) -> Mixing:
            mixing: Mixing = begin(slot)
            self._under_way[slot] = bool(mixing.subsets)
            self.begun += self._under_way[slot]
            self.passes[slot] += self._under_way[slot]
            return mixing

        def counted_after(slot: int, mixing: Mixing) -> Mixing:
            self.completed += self._under_way[slot] and mixing.forced is None
            self._under_way[slot] = False
            following: Mixing = after(slot, mixing)
            return following

        def counted_force(solution: Solution) -> Mixing | None:
            forced: Mixing | None = force(solution)
            self.forced += forced is not None
            return forced

        mixed._begin, mixed._after, mixed._forced = counted_begin, counted_after, counted_force

    def propose(self, slot: int) -> Genotype | None:
        if self._once and self.passes[slot] > 1:
            return None
        genotype: Genotype | None = self._counted.propose(slot)
        if self._once and self.passes[slot] > 1:
            self.begun -= 1
            return None
        self.in_first += genotype is not None and self.passes[slot] <= 1
        return genotype

    def origin(self, slot: int) -> Genotype | None:
        found: Genotype | None = self._counted.origin(slot)
        return found

    def members(self) -> list[Genotype]:
        return [one.genotype for one in self._counted.population.members if one is not None]

    def receive(self, slot: int, solution: Solution, entered: bool) -> None:
        self._counted.receive(slot, solution, entered)

    def converged(self) -> bool:
        return bool(self._counted.converged())

    def state(self) -> State:
        state: State = self._counted.state()
        return state

    def restore(self, state: State) -> None:
        self._counted.restore(state)


def search(name: str, seed: int, evaluations: int, population: int = POPULATION) -> dict[str, Any]:
    """One search, in a process of its own."""
    case, made, algorithm = imagenet_a(), [], name.removesuffix(ONCE)
    chance = np.random.default_rng(seed)
    ensemble = np.array([0] * (case.problem.length - 1) + [2])
    whole = case.structure.reachability.multiply_adds(ensemble)
    tenths = iter(range(1, 11))
    tenth = next(tenths)

    def counted(setup: Setup) -> Algorithm:
        made.append(Counted(ALGORITHMS[algorithm].build(setup), algorithm != name))
        return made[-1]

    def seconds(genotype: Genotype) -> float:
        cost = case.structure.reachability.multiply_adds(genotype) / whole
        return float((0.2 + cost) * chance.lognormal(0, SIGMA))

    def tell(progress: Progress) -> None:
        nonlocal tenth
        while progress.used >= tenth * evaluations / 10:
            print(f"{name}, seed {seed}: {tenth}0 %, {progress.evaluated:,} evaluated", flush=True)
            tenth = next(tenths, 99)

    result = run_search(
        case.problem,
        SimulatedExecutor(case.evaluate, seconds, workers=PLACES),
        SearchSettings(
            algorithm=counted,
            evaluations=evaluations,
            population=population,
            threshold=THRESHOLD,
            **PROCEDURE,
        ),
        seed=seed,
        on_progress=tell,
    )
    [watched] = made
    members = watched.members()
    return {
        "way": name,
        "seed": seed,
        "reassigned": watched.reassigned,
        "begun": watched.begun,
        "completed": watched.completed,
        "forced": watched.forced,
        "in_first": watched.in_first,
        "beyond_first": sum(passes > 1 for passes in watched.passes),
        "used": result.used,
        "share": result.used / evaluations,
        "skipped": result.skipped,
        "unchanged": result.unchanged,
        "stopped": result.stopped,
        "genotypes": len({one.tobytes() for one in members}),
        "networks": len({case.problem.identify(one) for one in members}),
        "archive": [one.objectives for one in result.archive],
        "history": [asdict(moment) for moment in result.history],
    }


def measured(out: Path, seeds: int, evaluations: int, ways: Sequence[str], done_only: bool) -> str:
    """The table, after what is missing for it was done, unless only what is done is wanted."""
    file = out / f"searches-paper-scale-{evaluations}.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    done = {(row["way"], row["seed"]) for row in rows}
    todo = [(way, seed) for seed in range(1, seeds + 1) for way in ways if (way, seed) not in done]
    if todo and not done_only:
        with ProcessPoolExecutor(2, get_context("spawn")) as pool, file.open("a") as log:
            for job in as_completed([pool.submit(search, *one, evaluations) for one in todo]):
                rows.append(job.result())
                log.write(json.dumps(rows[-1]) + "\n")
                log.flush()
    return table(rows)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The results as Markdown, beside the paper's."""
    head = ["search", "seeds", "reassigned", "passes begun", "completed", "first"]
    head += ["skipped", "unchanged"]
    head += ["the paper's", "budget", "the paper's", "ended by", "genotypes", "networks"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for way in SEARCHED:
        own = [row for row in rows if row["way"] == way]
        if not own:
            continue
        skipped, budget = PAPER.get(way.removesuffix(ONCE), ("-", "100 %"))
        cells = [way, str(len(own))]
        cells += [_range([row[key] for row in own]) for key in ("reassigned", "begun", "completed")]
        cells.append(_first(own))
        cells += [
            _range([row[key] / row["used"] for row in own], " %")
            for key in ("skipped", "unchanged")
        ]
        cells += [skipped, _range([row["share"] for row in own], " %"), budget]
        cells.append(", ".join(dict.fromkeys(row["stopped"] for row in own)))
        cells += [_range([row[key] for row in own]) for key in ("genotypes", "networks")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _first(rows: Sequence[Mapping[str, Any]]) -> str:
    if not all(row["begun"] for row in rows):
        return "-"
    under_way = any(row["beyond_first"] < POPULATION for row in rows)
    share = _range([row["in_first"] * row["share"] / row["used"] for row in rows], " %")
    return f"{share} +" if under_way else share


def _range(values: Sequence[float], unit: str = "") -> str:
    scale = 100 if unit else 1
    least, middle, most = (f"{one * scale:,.0f}{unit}" for one in np.quantile(values, [0, 0.5, 1]))
    return middle if least == most else f"{middle} ({least} to {most})"

"""Measures networks and cascades beside what a user has without stitches, on test images.

    python benchmarks/fronts.py [--pair NAME ...] [--seeds 20] [--paper 20] [--stitched 20]
                                [--jobs 2] [--out DIR] [--markdown]

For each pair of `pairs.py` and each seed: a whole run, as `netstitch run` does it, whose seed is
that of its fit, of refining and of its search (the genetic algorithm, a population of 32, a budget
of 250, no first networks), and also draws the validation images, four fifths of those there are but
2,048 at most. Another run has the paper's procedure, for the first --paper of the seeds. Each is
one job with one thread. Results are appended to DIR/PAIR.jsonl as they come, and what is there is
not done again; --markdown only prints them.

Rows are what a user could have: the *references* (each network, and the ensemble); with *plain
cascades* of these; with *plain cascades and exits*; with the networks of *the paper's procedure*;
with the *static* networks and exits that netstitch finds; with its *cascades* as a run finds them;
and, for the first --stitched seeds, with *cascades of stitched stages* too, found anew from all
that the run evaluated. All were chosen on validation images, and the hypervolume is that of all of
them on test images, with the (mean) cost there, over each floor of accuracy and up to 1.1 times the
ensemble's cost.

The comparison that was named in advance is *cascades* with *plain cascades* over the lower floor:
Wilcoxon's signed ranks over seeds, one-sided, with Holm's correction for the number of pairs.
Beside it stands a bootstrap interval of the same difference over test images, that of the median
seed. What stitched stages add to *cascades* is a median of differences, of too few seeds to test.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pairs import PAIRS
from scipy.stats import wilcoxon

from netstitch.analysis import CascadePoint, Front, FrontPoint, hypervolume
from netstitch.analysis.significance import holm
from netstitch.cascades.answers import answer_rule
from netstitch.cascades.running import run_cascades
from netstitch.evaluation import NumericsConfig
from netstitch.experiments import RunSettings
from netstitch.runs.recorded_cascades import find_run_cascades
from netstitch.runs.run import carry_out
from netstitch.stitching.cascade import Cascade, CascadeStage
from netstitch.supernet import Supernet
from netstitch.tasks import Classification

SEEDS = 20
SEARCH = {"algorithm": "ga", "evaluations": 250, "population": 32, "first_networks": 0.0}
VALIDATION, SHARE = 2_048, 0.8
RESAMPLES, MEMORY = 1_000, 1_000_000_000

FLOORS = {"digits": (0.9, 0.95)}
"""Floors of accuracy of pairs; by default those below."""
DEFAULT_FLOORS = (0.8, 0.9)

REFERENCES, PLAIN, EXITS = "references", "plain cascades", "plain cascades and exits"
PAPER, STATIC, CASCADES = "the paper's procedure", "static", "cascades"
STITCHED = "cascades of stitched stages"
ROWS = (REFERENCES, PLAIN, EXITS, PAPER, STATIC, CASCADES, STITCHED)

COMPARED = (REFERENCES, PLAIN, CASCADES)

Point = FrontPoint | CascadePoint


def drawn(pair: str, seed: int) -> Classification:
    """A pair's task with validation images of a seed's, and none for confirmation."""
    task = PAIRS[pair].task()
    samples = task.validation
    if task.confirmation is not None:
        samples = replace(
            samples,
            inputs=torch.cat([samples.inputs, task.confirmation.inputs]),
            labels=torch.cat([samples.labels, task.confirmation.labels]),
        )
    size = min(VALIDATION, int(SHARE * len(samples)))
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed))
    return replace(task, validation=samples.taken(order[:size].sort().values), confirmation=None)


def settings(pair: str, seed: int, paper: bool) -> RunSettings:
    """The settings of a run on one core."""
    tables: dict[str, Any] = {
        "name": pair,
        "seed": seed,
        "search": SEARCH,
        "evaluation": {"executor": "serial"},
    }
    if paper:
        tables["procedure"] = "paper"
    else:
        tables["refine"] = PAIRS[pair].refine | {"seconds": None}
    return RunSettings(**tables)


def measured(pair: str, seed: int, paper: bool, stitched: bool) -> dict[str, Any]:
    """Return what a run found, as rows of hypervolumes; in a process of its own."""
    torch.set_num_threads(1)
    task = drawn(pair, seed)
    models = list(PAIRS[pair].models().items())
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        chosen = settings(pair, seed, paper)
        finished = carry_out(chosen, models, task, Path(folder) / "run")
        front, supernet = finished.front, finished.supernet
        rows = fronts_of(front, paper)
        if stitched:
            asked = {"cascades": chosen.cascades.changed(stitched=True)}
            changed = chosen.model_copy(update=asked)
            again = find_run_cascades(changed, task, finished.folder).front
            rows[STITCHED] = [*again.networks, *again.cascades]
    floors = FLOORS.get(pair, DEFAULT_FLOORS)
    found = {
        name: [volume(kept, front.ensemble_cost, floor) for floor in floors]
        for name, kept in rows.items()
    }
    facts = {"pair": pair, "seed": seed, "paper": paper, "floors": floors, "volumes": found}
    if not paper:
        facts |= resampled(supernet, task, front, floors[0]) | room(front)
    return facts | {"seconds": time.perf_counter() - started}


def fronts_of(front: Front, paper: bool) -> dict[str, list[Point]]:
    """The rows of a run, each of what was chosen on validation images."""
    if paper:
        return {PAPER: [*front.networks]}
    exits = [point for point in front.points if point.exit is not None]
    plain = [one for one in front.plain_cascades if not one.exits]
    return {
        REFERENCES: [*front.references],
        PLAIN: [*front.references, *plain],
        EXITS: [*front.references, *exits, *plain, *front.cascades],  # none has stitches
        STATIC: [*front.networks],
        CASCADES: [*front.networks, *front.cascades],
    }


def volume(points: Sequence[Point], ensemble: float, floor: float) -> float:
    """The hypervolume on test images."""
    accuracies = [point.test for point in points]
    costs = [point.cost_on("test") for point in points]
    return hypervolume(accuracies, costs, ensemble=ensemble, accuracy_floor=floor)


@dataclass(frozen=True)
class OnTest:
    """A front on each test image: (points, images) whether it is right, and what it costs."""

    correct: NDArray[np.float64]
    costs: NDArray[np.float64]

    def volume(self, times: NDArray[np.float64], ensemble: float, floor: float) -> float:
        """The hypervolume on the images, each taken as many times as is said."""
        accuracies, costs = (values @ times / times.sum() for values in (self.correct, self.costs))
        return hypervolume(accuracies, costs, ensemble=ensemble, accuracy_floor=floor)


def resampled(
    supernet: Supernet, task: Classification, front: Front, floor: float
) -> dict[str, Any]:
    """The bootstrap interval, over test images, of what cascades have over plain ones."""
    rows = fronts_of(front, paper=False)
    first, second = (on_test(supernet, task, rows[name]) for name in (CASCADES, PLAIN))
    assert task.test is not None
    generator, count = np.random.default_rng(0), len(task.test)
    gains = []
    for _ in range(RESAMPLES):
        times = generator.multinomial(count, np.full(count, 1 / count)).astype(np.float64)
        ours, plain = (one.volume(times, front.ensemble_cost, floor) for one in (first, second))
        gains.append(ours - plain)
    low, high = np.quantile(gains, (0.025, 0.975))
    return {"low": float(low), "high": float(high)}


def on_test(supernet: Supernet, task: Classification, points: Sequence[Point]) -> OnTest:
    """Run a front on all test images."""
    assert task.test is not None
    ran: list[Cascade | CascadeStage] = [
        one.cascade if isinstance(one, CascadePoint) else CascadeStage(one.subnetwork)
        for one in points
    ]
    rule = answer_rule(supernet, task, "probability")
    form = NumericsConfig(channels_last=True, batch=128, workers=1)
    outcomes = run_cascades(supernet, rule, task.test, ran, form, "cpu", MEMORY)
    along = [
        np.cumsum(one.stage_costs) if isinstance(one, CascadePoint) else np.array([one.cost])
        for one in points
    ]
    return OnTest(
        np.stack([np.asarray(one.metrics.correct, np.float64) for one in outcomes]),
        np.stack([costs[one.left] for costs, one in zip(along, outcomes, strict=True)]),
    )


def room(front: Front) -> dict[str, Any]:
    """Return the ensemble's gain over the better network on test images, with its interval."""
    networks = [one for one in front.references if one is not front.ensemble]
    better = max(networks, key=lambda one: one.test).test_difference
    assert better is not None
    return {"room": [-better.difference, -better.high, -better.low]}


def tables(rows: Sequence[dict[str, Any]]) -> str:
    """The results as Markdown: hypervolumes of each row, and the comparison."""
    pairs = list(dict.fromkeys(row["pair"] for row in rows))
    lines = ["| pair | floor | seeds | " + " | ".join(ROWS) + " |", "|---" * (3 + len(ROWS)) + "|"]
    for pair in pairs:
        own = [row for row in rows if row["pair"] == pair]
        for place, floor in enumerate(own[0]["floors"]):
            medians = [values(own, name, place) for name in ROWS]
            cells = [f"{median(found):.4f}" if found else "-" for found in medians]
            seeds = len(values(own, REFERENCES, place))
            lines.append(f"| {pair} | {floor} | {seeds} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *comparisons(rows, pairs)])


def values(rows: Sequence[dict[str, Any]], name: str, place: int) -> list[float]:
    """The hypervolumes of a row over a floor, by seed."""
    found = {row["seed"]: row["volumes"][name][place] for row in rows if name in row["volumes"]}
    return [found[seed] for seed in sorted(found)]


def comparisons(rows: Sequence[dict[str, Any]], pairs: Sequence[str]) -> list[str]:
    """The comparison named in advance, and what stitches add, a row a pair."""
    lines = [
        "| pair | ensemble minus better network | cascades minus plain cascades "
        "| over test images | p | gain over references, of plain cascades | over the upper floor "
        "| what stitched stages add | seeds |",
        "|---" * 9 + "|",
    ]
    by_pair = {}
    for pair in pairs:
        own = [row for row in rows if row["pair"] == pair and not row["paper"]]
        if not own:
            continue
        gains = {name: np.array(values(own, name, 0)) for name in ROWS}
        by_pair[pair] = own, gains
    p_values = [p_of(gains[CASCADES] - gains[PLAIN]) for _, gains in by_pair.values()]
    for (pair, (own, gains)), p in zip(by_pair.items(), holm(p_values), strict=True):
        difference = gains[CASCADES] - gains[PLAIN]
        ours = sorted(own, key=lambda row: row["seed"])
        middle = ours[int(np.argsort(difference)[len(difference) // 2])]
        stitches = gains[STITCHED] - gains[CASCADES][: len(gains[STITCHED])]
        added = f"{np.median(stitches):+.4f}" if len(stitches) else "-"
        lines.append(
            f"| {pair} | {in_points(ours[0]['room'])} | {median(difference):+.4f} "
            f"| {middle['low']:+.4f} to {middle['high']:+.4f} | {p:.2g} "
            f"| {gain_text(own, 0)} | {gain_text(own, 1)} | {added} | {len(stitches)} |"
        )
    return lines


def gain_text(rows: Sequence[dict[str, Any]], place: int) -> str:
    """Return the gain of cascades over the references over a floor, beside that of plain ones."""
    base, plain, ours = (np.array(values(rows, name, place)) for name in COMPARED)
    gained, theirs = median(ours - base), median(plain - base)
    times = f", {gained / theirs:.2f} times" if theirs > 0 else ""
    return f"{gained:.4f}, {theirs:.4f}{times}"


def in_points(interval: Sequence[float]) -> str:
    """A difference of accuracies with its interval, in points."""
    middle, low, high = (f"{100 * value:+.2f}" for value in interval)
    return f"{middle} [{low}, {high}]"


def p_of(differences: NDArray[np.float64]) -> float:
    """Wilcoxon's p value that they are over 0; 1 where nothing differs."""
    if not differences.any():
        return 1.0
    return float(wilcoxon(differences, alternative="greater").pvalue)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fronts of networks and cascades, on test images")
    parser.add_argument("--pair", nargs="+", choices=tuple(PAIRS), default=list(PAIRS))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--paper", type=int, default=SEEDS)
    parser.add_argument("--stitched", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/fronts"))
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    files = [options.out / f"{pair}.jsonl" for pair in options.pair]
    rows = [
        json.loads(line)
        for file in files
        if file.exists()
        for line in file.read_text().splitlines()
    ]
    done = {(row["pair"], row["seed"], row["paper"]) for row in rows}
    wanted = [
        (pair, seed, paper)
        for paper, seeds in ((False, options.seeds), (True, options.paper))
        for seed in range(1, seeds + 1)
        for pair in options.pair
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        todo = [] if options.markdown else [one for one in wanted if one not in done]
        jobs = [
            pool.submit(measured, *one, stitched=not one[2] and one[1] <= options.stitched)
            for one in todo
        ]
        for job in as_completed(jobs):
            row = job.result()
            rows.append(row)
            with (options.out / f"{row['pair']}.jsonl").open("a") as log:
                log.write(json.dumps(row) + "\n")
            volumes = {name: round(found[0], 4) for name, found in row["volumes"].items()}
            print(
                f"{row['pair']}, seed {row['seed']}: {volumes}, {row['seconds']:.0f} s", flush=True
            )
    print(tables(rows))


if __name__ == "__main__":
    main()

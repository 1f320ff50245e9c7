"""Compares ways to match and fit by the front: the same searches on different supernets.

    python benchmarks/fitted_fronts.py --pair NAME [--seeds 10] [--ways NAME ...]
                                [--out DIR] [--markdown]

For each seed, each supernet is fitted anew, on training images in an order of the seed's, refined
as `netstitch demo` and `run` do, and searched: the genetic algorithm, a population of 32, a budget
of 250 evaluations, on 768 validation images at most. Fronts are measured on 5,000 test images at
most. Two such jobs run side by side, one core each. Results are appended to DIR/PAIR.jsonl as they
come, and what is there is not done again; --markdown only prints them.

Hypervolume is that of the front's networks on test images, over the pair's accuracy floor and up to
1.1 times the ensemble's multiply-adds. Tests are Wilcoxon's signed-rank over the seeds, two-sided,
and in brackets with Holm's correction for the number of ways compared with the same one.

Networks as good as a reference are found in two ways. "Cheapest" looks at test images, for all of
the front: what a front holds, told after the fact. "Picked" is what a user can do: the cheapest
network that is no worse than the reference on validation images, and its test accuracy minus the
reference's. "Dominated" counts searches whose front holds a stitched network that costs no more
than a reference, is no worse on test images, and better in one of both.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from pairs import FLOOR, PAIRS, in_order_of, load_networks, load_task
from scipy.stats import wilcoxon

import netstitch as ns
from netstitch.analysis import Front, FrontPoint
from netstitch.analysis.hypervolume import ReferencePoint, hypervolume_of
from netstitch.analysis.significance import holm
from netstitch.evaluation import NumericsConfig
from netstitch.networks import Network
from netstitch.searching.supernet_search import run
from netstitch.searching.supernet_search_settings import SupernetSearchSettings

SEEDS, EVALUATIONS, POPULATION, THRESHOLD = 10, 250, 32, 0.9
VALIDATION, TEST = 768, 5_000
PAPER, LEAST = "paper", "least squares"


@dataclass(frozen=True)
class Way:
    """The way a supernet is matched and fitted."""

    points: str
    objective: str
    method: str
    refined: bool


WAYS = {
    PAPER: Way("all", "count", "adam", False),
    LEAST: Way("all", "count", "least-squares", False),
    "refined": Way("all", "count", "least-squares", True),
    "refined, distinct": Way("distinct", "count", "least-squares", True),
    "refined, distinct, balanced": Way("distinct", "balanced", "least-squares", True),
}


def fit(supernet: ns.Supernet, pair: str, training: ns.Samples, way: Way, seed: int) -> None:
    """Fit in place, on images in an order of the seed's."""
    batches = in_order_of(training, seed).batches(64)
    seeded = {} if way.method == "least-squares" else {"seed": seed}
    supernet.fit(batches, method=way.method, **seeded)
    if way.refined:
        settings = PAIRS[pair].refine
        supernet.refine(batches, **(settings | {"seed": seed, "seconds": None}))


def fit_and_search(pair: str, name: str, seed: int, folder: str) -> dict[str, Any]:
    """One supernet fitted and searched, in a process of its own. folder: of the unfitted one."""
    torch.set_num_threads(1)
    task = load_task(pair)
    assert task.test is not None
    assert task.training is not None
    few = replace(task, validation=task.validation.first(VALIDATION), test=task.test.first(TEST))
    supernet = ns.load(folder)
    assert isinstance(supernet, ns.Supernet)
    started = time.perf_counter()
    fit(supernet, pair, task.training, WAYS[name], seed)
    fitted = time.perf_counter()
    found = run(
        supernet,
        few,
        SupernetSearchSettings(
            algorithm="ga",
            evaluations=EVALUATIONS,
            population=POPULATION,
            threshold=THRESHOLD,
            first_networks=0.0,
        ),
        seed=seed,
        form=NumericsConfig(channels_last=True, batch=128, workers=1),
    )
    return {
        "way": name,
        "seed": seed,
        "evaluated": found.result.evaluated,
        "fitting": fitted - started,
        "seconds": time.perf_counter() - fitted,
    } | facts(found.front)


def facts(front: Front) -> dict[str, Any]:
    """The values of a front that are compared."""
    ensemble = front.ensemble
    assert ensemble is not None
    whole = ensemble.multiply_adds
    points = list(front)
    volumes = {
        part: hypervolume_of(points, part, ReferencePoint(whole, FLOOR))
        for part in ("validation", "test")
    }
    return {
        "hypervolume": volumes["test"],
        "hypervolume_validation": volumes["validation"],
        "networks": len(points),
        "stitched": sum(point.stitches > 0 for point in points),
        "cheapest": {r.label: cheapest(points, r, whole) for r in front.references},
        "picked": {r.label: picked(points, r, whole) for r in front.references},
        "dominated": {
            r.label: any(point.stitches and better(point, r) for point in points)
            for r in front.references
        },
    }


def cheapest(points: Sequence[FrontPoint], reference: FrontPoint, whole: int) -> float:
    """The least cost, of the ensemble's, of a network as good as the reference on test images.

    The reference itself counts, so that it is 1 at most for each.
    """
    assert reference.test is not None
    good = [p.multiply_adds for p in points if p.test is not None and p.test >= reference.test]
    return min([*good, reference.multiply_adds]) / whole


def picked(points: Sequence[FrontPoint], reference: FrontPoint, whole: int) -> tuple[float, float]:
    """The cheapest as good as the reference on validation: its cost, and what it gains on test.

    The cost is a share of the ensemble's; the reference itself may be picked.
    """
    good = [p for p in points if p.validation >= reference.validation]
    found = min([*good, reference], key=lambda p: (p.multiply_adds, -p.validation))
    assert found.test is not None
    assert reference.test is not None
    return found.multiply_adds / whole, found.test - reference.test


def better(point: FrontPoint, reference: FrontPoint) -> bool:
    """Return whether a network costs no more and is no worse on test images, one strictly."""
    assert point.test is not None
    assert reference.test is not None
    least = point.multiply_adds <= reference.multiply_adds and point.test >= reference.test
    return least and (point.multiply_adds < reference.multiply_adds or point.test > reference.test)


def tables(rows: Sequence[dict[str, Any]]) -> str:
    """The results as Markdown."""
    by_way = {name: {row["seed"]: row for row in rows if row["way"] == name} for name in WAYS}
    tests = {other: compared(by_way, other) for other in (PAPER, LEAST)}
    labels = list(rows[0]["cheapest"])
    basis = labels[:-1]
    head = ["supernet", "hypervolume, test", "range", "against paper", "against least squares"]
    head += [f"cheapest as good as {label}" for label in labels]
    told = labels if all("picked" in row for row in rows) else []  # older files lack it
    head += [f"picked for {label}, test" for label in told]
    head += [f"{label} dominated" for label in basis]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, found in by_way.items():
        if not found:
            continue
        volumes = [row["hypervolume"] for row in found.values()]
        cells = [name, f"{median(volumes):.4f}", f"{min(volumes):.4f} to {max(volumes):.4f}"]
        cells += [tests[other].get(name, "-") for other in (PAPER, LEAST)]
        cells += [
            f"{100 * median(row['cheapest'][label] for row in found.values()):.0f} %"
            for label in labels
        ]
        cells += [picks([row["picked"][label] for row in found.values()]) for label in told]
        cells += [
            f"{sum(row['dominated'][label] for row in found.values())} of {len(found)}"
            for label in basis
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def picks(found: Sequence[tuple[float, float]]) -> str:
    """Medians of cost, and of what is gained on test, in points."""
    cost, gain = (median(part) for part in zip(*found, strict=True))
    return f"{100 * cost:.0f} %, {100 * gain:+.1f}"


def compared(by_way: dict[str, dict[int, Any]], other: str) -> dict[str, str]:
    """Return, for each two ways, the median difference in hypervolume over common seeds, and p.

    Ways that are equal for each seed are left out.
    """
    differences: dict[str, list[float]] = {}
    for name, ours in by_way.items():
        seeds = sorted(ours.keys() & by_way[other].keys())
        found = [ours[s]["hypervolume"] - by_way[other][s]["hypervolume"] for s in seeds]
        if any(found):
            differences[name] = found
    plain = [float(wilcoxon(found).pvalue) for found in differences.values()]
    return {
        name: f"{median(found):+.4f}, p = {own:.3f} ({corrected:.3f})"
        for (name, found), own, corrected in zip(
            differences.items(), plain, holm(plain), strict=True
        )
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Fronts of supernets made in different ways")
    parser.add_argument("--pair", choices=tuple(PAIRS), default="demo")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=list(WAYS))
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"{options.pair}.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    done = {(row["way"], row["seed"]) for row in rows}
    if not options.markdown:
        task = load_task(options.pair)
        assert task.training is not None
        networks: list[Network] = []
        folders = {}
        for name, way in WAYS.items():
            place = options.out / options.pair / f"{way.points}-{way.objective}"
            folders[name] = place
            if not place.exists():
                networks = networks or load_networks(options.pair, task)
                matching = ns.match(*networks, points=way.points, objective=way.objective)
                ns.Supernet(networks, matching).save(place)
        todo = [
            (name, seed)
            for seed in range(1, options.seeds + 1)
            for name in options.ways
            if (name, seed) not in done
        ]
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(2, mp_context=context) as pool, file.open("a") as log:
            jobs = [
                pool.submit(fit_and_search, options.pair, name, seed, str(folders[name]))
                for name, seed in todo
            ]
            for job in as_completed(jobs):
                rows.append(job.result())
                log.write(json.dumps(rows[-1]) + "\n")
                log.flush()
                row = rows[-1]
                print(
                    f"{row['way']}, seed {row['seed']}: hypervolume {row['hypervolume']:.4f}, "
                    f"fitted in {row['fitting']:.0f} s, {row['evaluated']} evaluated in "
                    f"{row['seconds']:.0f} s",
                    flush=True,
                )
    print(tables(rows))


if __name__ == "__main__":
    main()

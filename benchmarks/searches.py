"""Which search finds the best front on one supernet, at equal budget.

    python benchmarks/searches.py --pair NAME [--seeds 10] [--evaluations 1000]
                                  [--ways NAME ...] [--out DIR] [--markdown]
    python benchmarks/searches.py --paper-scale [--seeds 5] [--evaluations 200000] [...]

--paper-scale: no supernet, but a model of one as large as the paper's, to see how searches spend
its budget; told in `search/paper_scale.py`. Otherwise:

One supernet of the pair, matched, fitted and refined as `netstitch demo` does, is searched by each
way for each seed: the same population (64), budget of evaluations (known ones count), and 768
validation images at most. Neighbourhoods of LK-GOMEA have 8 members at least (of 32, its default,
they would be half of the population). Fronts are measured on 5,000 test images at most. Two
searches run side by side, one core each. Results are appended to
DIR/searches-PAIR-EVALUATIONS.jsonl as they come, and what is there is not done again; --markdown
only prints them.

Hypervolume is over the pair's accuracy floor and up to 1.1 times the ensemble's multiply-adds: on
validation images, which a search sees, at a quarter, half, and all of the budget; and on test
images. Medians with interquartile ranges; tests are Wilcoxon's signed-rank over the seeds,
two-sided: of the algorithms against the genetic algorithm, and of ways to treat inactive variables
against the same algorithm without them; in brackets Holm-corrected over each of these families. The
last columns are means over evaluations in the last quarter: stitches that a genotype asks for, and
those that were in use (the paper's figure 6).
"""

import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fitted_fronts import TEST, VALIDATION, facts
from pairs import FLOOR, PAIRS, in_order_of, load_networks, load_task
from scipy.stats import wilcoxon

import netstitch as ns
from netstitch.analysis import hypervolume
from netstitch.analysis.significance import holm
from netstitch.evaluation import NumericsConfig
from netstitch.events import Event
from netstitch.optimization import ALGORITHMS
from netstitch.searching.search_progress import ResultRecorded
from netstitch.searching.supernet_search import run
from netstitch.searching.supernet_search_settings import SupernetSearchSettings

SEEDS, EVALUATIONS, POPULATION, THRESHOLD = 10, 1_000, 64, 0.9
SHARES = (0.25, 0.5, 1.0)
"""Of the budget, at which fronts are compared."""

BASELINE = "ga"
NEIGHBOURS = {"lk-gomea": {"smallest_neighbourhood": 8}}


@dataclass(frozen=True)
class Way:
    """An algorithm with settings, and the way that it is compared with."""

    algorithm: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    against: str = BASELINE


PLAIN = {name: Way(name, NEIGHBOURS.get(name, {})) for name in ALGORITHMS}
HEEDING = {
    f"{name}, inactive {inactive}": Way(
        name, NEIGHBOURS.get(name, {}) | {"inactive": inactive}, name
    )
    for name in ("ga", "gomea", "lk-gomea")
    for inactive in ("kept", "reset")
}
WAYS = PLAIN | HEEDING


class Seen:
    """Evaluations in the order in which they came, in the place of a store on disk."""

    def __init__(self) -> None:
        self.objectives: list[tuple[float, ...] | None] = []

    def add(self, event: Event) -> None:
        """Remember one; of a failed one nothing, so that later ones keep their ordinal."""
        if isinstance(event, ResultRecorded):
            self.objectives.append(event.evaluation.objectives)


def search(pair: str, name: str, seed: int, evaluations: int, folder: str) -> dict[str, Any]:
    """One search of the supernet in `folder`, in a process of its own."""
    torch.set_num_threads(1)
    task = load_task(pair)
    assert task.test is not None
    few = replace(task, validation=task.validation.first(VALIDATION), test=task.test.first(TEST))
    supernet = ns.load(folder)
    assert isinstance(supernet, ns.Supernet)
    way, seen = WAYS[name], Seen()
    found = run(
        supernet,
        few,
        SupernetSearchSettings(
            algorithm=way.algorithm,
            settings=way.settings,
            evaluations=evaluations,
            population=POPULATION,
            threshold=THRESHOLD,
        ),
        seed=seed,
        form=NumericsConfig(channels_last=True, batch=128, workers=1),
        listener=seen.add,
    )
    whole = max(point.multiply_adds for point in found.front.references)
    result = found.result
    return {
        "way": name,
        "seed": seed,
        "evaluated": result.evaluated,
        "skipped": result.skipped,
        "used": result.used,
        "stopped": result.stopped,
        "seconds": result.elapsed,
        "validation": [_volume(seen, found.result.history, s * evaluations, whole) for s in SHARES],
        "history": [asdict(moment) for moment in result.history],
    } | facts(found.front)


def _volume(seen: Seen, history: Sequence[Any], used: float, whole: int) -> float:
    """Hypervolume of what was evaluated until so many evaluations were used."""
    before = [moment.evaluated for moment in history if moment.used <= used]
    some = [one for one in seen.objectives[: before[-1] if before else 0] if one is not None]
    return hypervolume(
        [accuracy for accuracy, _ in some],
        [int(multiply_adds) for _, multiply_adds in some],
        ensemble=whole,
        accuracy_floor=FLOOR,
    )


def make_supernet(pair: str, folder: Path) -> None:
    """Fit and refine as the demo does, into a new folder."""
    task = load_task(pair)
    assert task.training is not None
    supernet = ns.Supernet(
        networks := load_networks(pair, task), ns.match(*networks, points="distinct")
    )
    batches = in_order_of(task.training, 1).batches(64)
    supernet.fit(batches)
    settings = PAIRS[pair].refine
    supernet.refine(batches, **(settings | {"seed": 1, "seconds": None}))
    supernet.save(folder)  # whole or not at all


def tables(rows: Sequence[dict[str, Any]]) -> str:
    """The results as Markdown."""
    by_way = {name: {row["seed"]: row for row in rows if row["way"] == name} for name in WAYS}
    tests = {
        part: compared(by_way, part, tuple(PLAIN)) | compared(by_way, part, tuple(HEEDING))
        for part in ("validation", "test")
    }
    head = ["search", "seeds", "stopped early"]
    head += [f"validation, {share:.0%}" for share in SHARES]
    head += ["against", "difference", "test", "difference", "skipped"]
    head += ["stitches asked for", "in use"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, own in by_way.items():
        if not own:
            continue
        found = list(own.values())
        late = [_late(row) for row in found]
        cells = [name, str(len(found)), str(sum(row["stopped"] != "budget" for row in found))]
        cells += [_quartiles([row["validation"][i] for row in found]) for i in range(len(SHARES))]
        cells += [WAYS[name].against, tests["validation"].get(name, "-")]
        cells += [_quartiles([row["hypervolume"] for row in found])]
        cells += [tests["test"].get(name, "-")]
        cells += [f"{np.median([row['skipped'] / row['used'] for row in found]):.0%}"]
        cells += [f"{np.median([one[i] for one in late]):.1f}" for i in range(2)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _late(row: Mapping[str, Any]) -> tuple[float, float]:
    """Means of nonzero and of active stitches over the last quarter's evaluations."""
    history = row["history"]
    counts = np.diff([0, *(moment["evaluated"] for moment in history)])
    late = np.array([moment["used"] > 0.75 * row["used"] for moment in history])
    weights = np.where(late, counts, 0)
    means = [
        float(np.average([moment[key] for moment in history], weights=weights))
        if weights.any()
        else float("nan")
        for key in ("nonzero", "active")
    ]
    return means[0], means[1]


def _quartiles(values: Sequence[float]) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.4f} ({low:.4f} to {high:.4f})"


def compared(
    by_way: Mapping[str, Mapping[int, Any]], part: str, family: Sequence[str]
) -> dict[str, str]:
    """Of a family of ways: the median difference over common seeds to what each is compared with.

    With the p-value (1 where nothing differs), and corrected.
    """

    def value(row: Mapping[str, Any]) -> float:
        return float(row["validation"][-1] if part == "validation" else row["hypervolume"])

    differences = {}
    for name in family:
        own, other = by_way[name], by_way[WAYS[name].against]
        seeds = sorted(own.keys() & other.keys())
        if seeds and WAYS[name].against != name:
            differences[name] = [value(own[seed]) - value(other[seed]) for seed in seeds]
    plain = [float(wilcoxon(own).pvalue) if any(own) else 1.0 for own in differences.values()]
    return {
        name: f"{np.median(found):+.4f}, p = {own:.3f} ({corrected:.3f})"
        for (name, found), own, corrected in zip(
            differences.items(), plain, holm(plain), strict=True
        )
    }


def _checked(
    parser: argparse.ArgumentParser, ways: Sequence[str] | None, known: Iterable[str]
) -> list[str]:
    """The ways that are asked for, by default all."""
    for way in ways or ():
        if way not in known:
            parser.error(f"unknown way {way!r}: expected {', '.join(known)}")
    return list(ways or known)


def _at_paper_scale(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    sys.path.insert(0, str(Path(__file__).parent / "search"))  # for the processes too
    from paper_scale import EVALUATIONS, SEARCHED, SEEDS, measured

    return measured(
        options.out,
        options.seeds or SEEDS,
        options.evaluations or EVALUATIONS,
        _checked(parser, options.ways, SEARCHED),
        options.markdown,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Searches of one supernet")
    parser.add_argument("--pair", choices=tuple(PAIRS), default="demo")
    parser.add_argument("--paper-scale", action="store_true")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--evaluations", type=int)
    parser.add_argument("--ways", nargs="+", metavar="NAME")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.paper_scale:
        print(_at_paper_scale(parser, options))
        return
    seeds, ways = options.seeds or SEEDS, _checked(parser, options.ways, WAYS)
    evaluations = options.evaluations or EVALUATIONS
    file = options.out / f"searches-{options.pair}-{evaluations}.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    if not options.markdown:
        folder = options.out / f"searches-{options.pair}"
        if not folder.exists():
            make_supernet(options.pair, folder)
        done = {(row["way"], row["seed"]) for row in rows}
        todo = [
            (name, seed)
            for seed in range(1, seeds + 1)
            for name in ways
            if (name, seed) not in done
        ]
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(2, mp_context=context) as pool, file.open("a") as log:
            jobs = [
                pool.submit(search, options.pair, name, seed, evaluations, str(folder))
                for name, seed in todo
            ]
            for job in as_completed(jobs):
                rows.append(row := job.result())
                log.write(json.dumps(row) + "\n")
                log.flush()
                print(
                    f"{row['way']}, seed {row['seed']}: {row['validation'][-1]:.4f} after "
                    f"{row['evaluated']} evaluations in {row['seconds']:.0f} s",
                    flush=True,
                )
    print(tables(rows))


if __name__ == "__main__":
    main()

"""Compares searches by the front on one supernet, at equal budget.

    python benchmarks/searches.py --pair NAME [--seeds 20] [--evaluations 50 100 400 2000]
                                  [--ways NAME ...] [--out DIR] [--markdown]
    python benchmarks/searches.py --paper-scale [--seeds 5] [--evaluations 200000] [...]

--paper-scale: no supernet, but a model of one as large as the paper's, to see how searches spend
its budget; told in `search/paper_scale.py`. Otherwise:

One supernet of the pair, matched, fitted and refined as `netstitch demo` does, is searched by each
way with each budget of evaluations (known ones count) for each seed: populations of 32, steered
over accuracy 0.8, 16 evaluations under way. A seed also draws the images that its searches see, for
the references too: 2,048 of the validation images, or half of them where there are fewer than
4,096. Neighbourhoods of LK-GOMEA have 8 members at least (of 32, its default, they would be the
population). "First networks" have up to half of the budget, or the share that is named. The
enumeration is no search: the references and the first networks in their order, up to the budget.
The union is all that any search evaluated, of which a seed's images choose.

What networks are right on is kept in DIR/searches-PAIR for all of these (`outcomes.py`), so that
each network is evaluated once. Two searches run side by side, one core each. Results are
appended to DIR/searches-PAIR/results.jsonl as they come, and what is there is not done again;
--markdown only prints them, and what all pairs in DIR have.

Gains are hypervolume on all test images of what validation chose, over accuracy 0.8 and up to 1.1
times the ensemble's multiply-adds, minus that of the references. Medians with interquartile ranges;
differences are means over seeds with 95 % bootstrap intervals over test images. One comparison
counts: the default, the surrogate with first networks, against the genetic algorithm at 100
evaluations; Wilcoxon's signed-rank test over the seeds, one-sided, Holm-corrected over the pairs.
(It was named when four seeds of the digits had been seen.)
"""

import argparse
import json
import multiprocessing
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from one_search import IMPROVED, WAYS, Place, begin, done
from pairs import FLOOR, PAIRS, in_order_of, load_networks, load_task
from search_comparison import (
    ENUMERATION,
    REFERENCES,
    UNION,
    Found,
    pairs_table,
    read_found,
    ways_table,
)

import netstitch as ns

SEEDS, BUDGETS = 20, (50, 100, 400, 2_000)
USUAL = (ENUMERATION, *(way for name in IMPROVED for way in (name, f"{name}, first networks")))
"""Ways that are run where none are named."""


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


def run_all(
    pair: str, place: Place, seeds: int, ways: Sequence[str], budgets: Sequence[int]
) -> None:
    """Do what is not done, and choose of the union again where anything new was evaluated."""
    if not place.supernet.exists():
        make_supernet(pair, place.supernet)
    known = {(row["way"], row["budget"], row["seed"]): row["evaluated"] for row in place.rows()}
    wanted = [
        (way, budget, seed) for seed in range(1, seeds + 1) for budget in budgets for way in ways
    ]
    todo = [one for one in [(REFERENCES, 0, 0), *wanted] if one not in known]
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(2, context, initializer=begin, initargs=(pair, place)) as pool,
        place.results.open("a") as log,
    ):
        for jobs in (todo, [(UNION, 0, seed) for seed in range(1, seeds + 1)]):
            everything = len(place.store().genotypes("validation"))
            new = [one for one in jobs if one[0] != UNION or known.get(one) != everything]
            for job in as_completed([pool.submit(done, *one) for one in new]):
                row = job.result()
                log.write(json.dumps(row) + "\n")
                log.flush()
                print(
                    f"{row['way']}, {row['budget']:,}, seed {row['seed']}: {row['evaluated']:,} "
                    f"evaluated in {row.get('seconds', 0):.0f} s, {len(row['front'])} on the front",
                    flush=True,
                )


def found_of(place: Place) -> Found:
    """The results of a pair's searches."""
    return read_found(place.rows(), place.store(), FLOOR)


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
        (options.evaluations or [EVALUATIONS])[0],
        _checked(parser, options.ways, SEARCHED),
        options.markdown,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Searches of one supernet")
    parser.add_argument("--pair", choices=tuple(PAIRS), default="demo")
    parser.add_argument("--paper-scale", action="store_true")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--evaluations", type=int, nargs="+")
    parser.add_argument("--ways", nargs="+", metavar="NAME")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.paper_scale:
        print(_at_paper_scale(parser, options))
        return
    place = Place(options.out / f"searches-{options.pair}")
    if not options.markdown:
        place.folder.mkdir(exist_ok=True)
        ways = _checked(parser, options.ways or USUAL, (ENUMERATION, *WAYS))
        run_all(options.pair, place, options.seeds or SEEDS, ways, options.evaluations or BUDGETS)
    found = found_of(place)
    print(ways_table(found, place.rows(), lambda way: WAYS[way].against if way in WAYS else way))
    places = {name: Place(options.out / f"searches-{name}") for name in PAIRS}
    others = {name: one for name, one in places.items() if one.results.exists() and one != place}
    print()
    print(
        pairs_table({options.pair: found} | {name: found_of(one) for name, one in others.items()})
    )


if __name__ == "__main__":
    main()

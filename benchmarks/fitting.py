"""Ways to fit stitches, compared by what the subnetworks do.

    python benchmarks/fitting.py --pair NAME [--seeds 10] [--methods NAME ...]
                                 [--out DIR] [--markdown]
    python benchmarks/fitting.py [--most-passes 16]

With --pair: every method fits the same supernet (distinct points, the maximum count) for each seed,
on training images in an order of the seed's, and the same subnetworks are measured on 500 test
images of the seed's: each stitch alone, and 8 random ones each with 1, 2, 4, 8 and 16 active
stitches, also with batch norms measured anew. Times are ratios to least squares in the same
process. Two seeds run side by side, one core each. Results are appended to DIR/fitting-PAIR.jsonl,
and what is there is not run again; --markdown only prints its tables.

Without: least squares against the paper's Adam procedure at equal samples (see passes.py).
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from typing import Any
from unittest.mock import patch

import torch
from behaviour import ACTIVE, DRAWN, LOSS_AT, behaviour, make_subjects
from pairs import PAIRS, REFINE, in_order_of, load_networks, load_task
from passes import compare

import netstitch as ns

LEAST = "least squares"
SHOWN = 7
"""Depths of the table of single stitches."""

CLOSE = 0.03
"""The most that single stitches should lose of the weaker basis network's accuracy."""


@dataclass(frozen=True)
class Method:
    """A first stage, and settings of `refine` where there is a second one.

    passes: of Adam over the training images; None for its own default. uniform: stitches are drawn
    alike instead of by their gain.
    """

    first: str = "least-squares"
    passes: int | None = None
    refined: Mapping[str, Any] | None = None
    uniform: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


AS_IN_DEMO = REFINE | {"seconds": None}

METHODS = {
    LEAST: Method(),
    "ridge 1e-3": Method(settings={"ridge": 1e-3}),
    "ridge 1e-5": Method(settings={"ridge": 1e-5}),
    "Adam, 1 pass": Method("adam", passes=1),
    "Adam, the paper's": Method("adam"),
    "Adam, 12 passes": Method("adam", passes=12),
    "refined as in the demo": Method(refined=AS_IN_DEMO),
    "the same, draws alike": Method(refined=AS_IN_DEMO, uniform=True),
    "refined": Method(refined={}),
    "refined, draws alike": Method(refined={}, uniform=True),
    "refined, ensemble teaches": Method(refined={"teacher": "ensemble"}),
    "refined after Adam": Method("adam", refined={}),
}
"""The paper's Adam sees 16,384 images; as in the authors' code, its rate falls along a cosine."""


def fitted(supernet: ns.Supernet, training: ns.Samples, method: Method, seed: int) -> float:
    """Fit in place; the seconds it took."""
    batches = in_order_of(training, seed).batches(64)
    settings = dict(method.settings)
    if method.first != "least-squares":
        settings["seed"] = seed
    if method.passes is not None:
        settings["samples"] = method.passes * len(training) * 7 // 8  # an eighth is held out
    started = time.perf_counter()
    supernet.fit(batches, method=method.first, **settings)
    if method.refined is not None:
        even = patch("netstitch.fitting.refinement.sampler.EVEN", 1.0)
        with even if method.uniform else nullcontext():
            supernet.refine(batches, **{**method.refined, "seed": seed})
    return time.perf_counter() - started


def measure(pair: str, names: Sequence[str], seed: int, file: Path) -> int:
    """Fit and measure by each of the named methods, appending to the file; returns the seed."""
    torch.set_num_threads(1)
    task = load_task(pair)
    assert task.training is not None
    networks = load_networks(pair, task)
    supernet = ns.Supernet(networks, ns.match(*networks, points="distinct"))
    subjects = make_subjects(supernet, seed)
    fitted(supernet, task.training.first(512), METHODS[LEAST], seed)  # warm up, not counted
    for name in names:
        beside = fitted(supernet, task.training, METHODS[LEAST], seed)  # a machine's speed drifts
        seconds = fitted(supernet, task.training, METHODS[name], seed) if name != LEAST else beside
        row = {"pair": pair, "method": name, "seed": seed, "time": seconds / beside}
        row |= behaviour(supernet, task, subjects, seed)
        with file.open("a") as log:
            log.write(json.dumps(row) + "\n")
        print(f"seed {seed}, {name}: {seconds:.0f} s, loss {row['loss']:.3f}", flush=True)
    return seed


def tables(rows: Sequence[dict[str, Any]]) -> str:
    """The results as Markdown: random subnetworks, then single stitches by depth."""
    by_method = {name: [row for row in rows if row["method"] == name] for name in METHODS}
    found = {name: each for name, each in by_method.items() if each}
    return f"{_several(found)}\n\n{_singles(found)}"


def _several(found: Mapping[str, Sequence[dict[str, Any]]]) -> str:
    first = next(iter(found.values()))[0]
    counts = [str(active) for active in ACTIVE if str(active) in first["random"]]
    head = ["method", "seeds", "time", "error", f"loss at {LOSS_AT}"]
    head += [f"{count} stitch{'es' if count != '1' else ''}" for count in counts]
    lines = _head(head)
    for name, rows in found.items():
        cells = [name, str(len(rows))]
        cells += [f"{median(row['time'] for row in rows):.1f}"]
        cells += [f"{median(row[key] for row in rows):.3f}" for key in ("error", "loss")]
        cells += [
            " / ".join(
                _percent(median(a for row in rows for a in row[part].get(count, ())))
                for part in ("random", "recalibrated")
            )
            for count in counts
        ]
        lines.append(_line(cells))
    note = f"Medians over seeds, {DRAWN} at most each: as fitted / batch norms measured anew."
    return "\n".join([*lines, "", note])


def _singles(found: Mapping[str, Sequence[dict[str, Any]]]) -> str:
    some = next(iter(found.values()))
    references = {
        name: mean(row["references"][name] for row in some) for name in some[0]["references"]
    }
    matches = len(some[0]["singles"])
    shown = sorted({round(i * (matches - 1) / (SHOWN - 1)) for i in range(SHOWN)} | {1})
    names = [name for name in references if name != "ensemble"]
    weaker = min(references[name] for name in names)
    head = ["method", *(f"match {i + 1}" for i in shown), f"within {100 * CLOSE:.0f} points"]
    lines = _head(head)
    for name, rows in found.items():
        means = [list(_means([row["singles"][match] for row in rows])) for match in range(matches)]
        later = [a for pair in means[1:] for a in pair if a is not None]
        close = sum(accuracy >= weaker - CLOSE for accuracy in later)
        cells = [name, *("/".join(_percent(a) for a in means[i]) for i in shown)]
        lines.append(_line([*cells, f"{close} of {len(later)}"]))
    told = ", ".join(f"{n} {_percent(a)}" for n, a in references.items())
    note = (
        f"Means over seeds. A match is {names[0]} to {names[1]} / {names[1]} to {names[0]}; the "
        f"last column counts stitches behind the first match. Alone: {told}."
    )
    return "\n".join([*lines, "", note])


def _means(pairs: Sequence[Sequence[float | None]]) -> Iterator[float | None]:
    """Over seeds, of the stitch one way and the other; None where no output depends on it."""
    for each in zip(*pairs, strict=True):
        known = [accuracy for accuracy in each if accuracy is not None]
        yield mean(known) if known else None


def _percent(accuracy: float | None) -> str:
    return "-" if accuracy is None else f"{100 * accuracy:.1f}"


def _head(cells: Sequence[str]) -> list[str]:
    return [_line(cells), "|---" * len(cells) + "|"]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Ways to fit stitches")
    parser.add_argument("--pair", choices=tuple(PAIRS))
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS), default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--most-passes", type=int, default=16)
    options = parser.parse_args()
    if options.pair is None:
        compare(options.most_passes)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"fitting-{options.pair}.jsonl"
    if not options.markdown:
        done = {(row["seed"], row["method"]) for row in _read(file)}
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            jobs = []
            for seed in range(options.seeds):
                todo = [name for name in options.methods if (seed, name) not in done]
                if todo:
                    jobs.append(pool.submit(measure, options.pair, todo, seed, file))
            for job in as_completed(jobs):
                print(f"seed {job.result()} is done", flush=True)
    print(tables(_read(file)))


def _read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


if __name__ == "__main__":
    main()

"""Ways to fit stitches, compared by what the subnetworks do.

    python benchmarks/fitting.py --pair demo|digits [--seed 0] [--out FILE] [--markdown]
    python benchmarks/fitting.py [--most-passes 16]

With --pair: every method fits the same supernet (all points, the maximum count), and the same
subnetworks are measured on 2,000 test images at most: each stitch alone, and 16 random ones each
with 1, 2, 4, 8 and 16 active stitches, also with batch norms measured anew. Refining takes equal
steps; times are ratios to least squares in the same run. Results are appended to FILE, JSON a
line, and methods that are there are not run again; --markdown only prints FILE's tables.

Without: least squares against the paper's Adam procedure at equal samples (see passes.py).
"""

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import torch
from behaviour import ACTIVE, DRAWN, LOSS_AT, behaviour, make_subjects
from pairs import load_networks, load_task
from passes import compare

import netstitch as ns

LEAST = "least squares"
SHOWN = 7
"""Depths of the table of single stitches."""

CLOSE = 0.03
"""What single stitches should lose at most, of the weaker basis network's accuracy."""


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


METHODS = {
    LEAST: Method(),
    "sequential, 1 pass": Method("sequential", settings={"passes": 1}),
    "sequential, 2 passes": Method("sequential", settings={"passes": 2}),
    "Adam, 1 pass": Method("adam", passes=1),
    "Adam, 4 passes": Method("adam", passes=4),
    "Adam, 16,384 images": Method("adam"),
    "refined": Method(refined={}),
    "refined, uniform draws": Method(refined={}, uniform=True),
    "refined, ensemble teaches": Method(refined={"teacher": "ensemble"}),
    "refined, features": Method(refined={"loss": "features"}),
    "refined after sequential": Method("sequential", refined={}),
    "refined after Adam": Method("adam", refined={}),
}
"""Adam with its default of 16,384 images is the paper's procedure as `fronts.py` runs it."""


def fitted(supernet: ns.Supernet, training: ns.Samples, method: Method, seed: int) -> float:
    """Fit in place; the seconds it took."""
    batches = training.batches(64)
    settings = dict(method.settings)
    if method.first != "least-squares":
        settings["seed"] = seed
    if method.passes is not None:
        settings["samples"] = method.passes * len(training) * 7 // 8  # an eighth is held out
    started = time.perf_counter()
    supernet.fit(batches, method=method.first, **settings)
    if method.refined is not None:
        even = patch("netstitch.fitting.refinement.draws.EVEN", 1.0)
        with even if method.uniform else nullcontext():
            supernet.refine(batches, seed=seed, **method.refined)
    return time.perf_counter() - started


def measure(pair: str, names: Sequence[str], seed: int, file: Path | None) -> list[dict[str, Any]]:
    """Fit and measure by each of the named methods, appending to the file."""
    task = load_task(pair)
    assert task.training is not None
    networks = load_networks(pair, task)
    supernet = ns.Supernet(networks, ns.match(*networks))
    subjects = make_subjects(supernet, seed)
    fitted(supernet, task.training.first(512), METHODS[LEAST], seed)  # warm up, not counted
    rows = []
    for name in names:
        beside = fitted(supernet, task.training, METHODS[LEAST], seed)  # a machine's speed drifts
        seconds = fitted(supernet, task.training, METHODS[name], seed)
        ratio = 1.0 if name == LEAST else seconds / beside
        row = {"pair": pair, "method": name, "seed": seed, "time": ratio}
        row |= behaviour(supernet, task, subjects)
        rows.append(row)
        if file is not None:
            with file.open("a") as log:
                log.write(json.dumps(row) + "\n")
        print(f"{name}: fitted in {seconds:.0f} s, loss {row['loss']}", flush=True)
    return rows


def tables(rows: Sequence[dict[str, Any]]) -> str:
    """The results as Markdown: random subnetworks, then single stitches by depth."""
    order = list(METHODS)
    rows = sorted(rows, key=lambda row: order.index(row["method"]))
    return f"{_several(rows)}\n\n{_singles(rows)}"


def _several(rows: Sequence[dict[str, Any]]) -> str:
    counts = [str(active) for active in ACTIVE if str(active) in rows[0]["random"]]
    head = ["method", "time", "error", f"loss at {LOSS_AT}"]
    head += [f"{count} stitch{'es' if count != '1' else ''}" for count in counts]
    lines = _head(head)
    for row in rows:
        cells = [row["method"], f"{row['time']:.1f}", f"{row['error']:.3f}"]
        cells.append("-" if row["loss"] is None else f"{row['loss']:.3f}")
        cells += [
            " / ".join(_percent(median(row[part][count])) for part in ("random", "recalibrated"))
            for count in counts
        ]
        lines.append(_line(cells))
    note = f"Medians of {DRAWN} at most: as fitted / batch norms measured anew."
    return "\n".join([*lines, "", note])


def _singles(rows: Sequence[dict[str, Any]]) -> str:
    matches = len(rows[0]["singles"])
    shown = sorted({round(i * (matches - 1) / (SHOWN - 1)) for i in range(SHOWN)} | {1})
    names = [name for name in rows[0]["references"] if name != "ensemble"]
    weaker = min(rows[0]["references"][name] for name in names)
    head = ["method", *(f"match {i + 1}" for i in shown), f"within {100 * CLOSE:.0f} points"]
    lines = _head(head)
    for row in rows:
        later = [a for pair in row["singles"][1:] for a in pair if a is not None]
        close = sum(accuracy >= weaker - CLOSE for accuracy in later)
        cells = [row["method"]]
        cells += ["/".join(_percent(a) for a in row["singles"][i]) for i in shown]
        lines.append(_line([*cells, f"{close} of {len(later)}"]))
    references = ", ".join(f"{n} {_percent(a)}" for n, a in rows[0]["references"].items())
    note = f"A match is {names[0]} to {names[1]} / {names[1]} to {names[0]}. Alone: {references}."
    return "\n".join([*lines, "", note])


def _percent(accuracy: float | None) -> str:
    return "-" if accuracy is None else f"{100 * accuracy:.1f}"


def _head(cells: Sequence[str]) -> list[str]:
    return [_line(cells), "|---" * len(cells) + "|"]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Ways to fit stitches")
    parser.add_argument("--pair", choices=("demo", "digits"))
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS), default=list(METHODS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--most-passes", type=int, default=16)
    options = parser.parse_args()
    if options.pair is None:
        compare(options.most_passes)
        return
    rows = []
    if options.out is not None and options.out.exists():
        everything = [json.loads(line) for line in options.out.read_text().splitlines()]
        rows = [r for r in everything if (r["pair"], r["seed"]) == (options.pair, options.seed)]
    if not options.markdown:
        torch.set_num_threads(1)
        done = {row["method"] for row in rows}
        todo = [name for name in options.methods if name not in done]
        rows += measure(options.pair, todo, options.seed, options.out)
    print(tables(rows))


if __name__ == "__main__":
    main()

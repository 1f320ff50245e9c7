"""Compares ways to make a stitch by test accuracy of networks with one stitch.

    python benchmarks/stitches.py [--pair demo old-demo digits] [--seeds 2] [--ways NAME ...]
                                  [--out DIR] [--markdown]

For each seed of each pair, one supernet (distinct points) is fitted by least squares on training
images in an order of the seed's. Each way begins from these stitches, and then 16 single-stitch
networks at most, of both directions at matches spread over depth, are measured on 2,000 test images
at most. Rows are at equal steps: as many as the pair's refining has by default ("as today"), or
three times that; those whose names begin with "alone" train each stitch in its own network, for
60 steps of one batch. Seconds are those of a core, for all stitches, so that rows can be compared
at equal seconds too. "Norms anew" is the same stitches, with batch norms behind
them measured on 256 training images.

Two seeds run side by side, one core each. Results are appended to DIR/stitches.jsonl as they come,
and what is there is not done again; --markdown only prints them.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch
from lone_stitches import LONE, Lone, accuracy, outputs, train_alone
from pairs import PAIRS, in_order_of, load_networks, load_task

import netstitch as ns
from netstitch.fitting.refinement.refining import STEPS, STEPS_EACH
from netstitch.fitting.refinement.sampler import single
from netstitch.networks.interpreter import make_interpreter
from netstitch.stitching.reachability import Genotype
from netstitch.tasks import Classification, Views

MATCHES, TEST, RECALIBRATED, ALONE_STEPS = 8, 2_000, 256, 60
TODAY = "as today"
ANEW = ", norms anew"
THIRDS = ("early", "middle", "late")

VIEWS = {"digits": Views(padding=1)}
"""Views that keep the class; a mirrored digit is none."""
CLOTHES = Views(padding=2, flip=True)


@dataclass(frozen=True)
class Way:
    """The refining of stitches: in how many times the steps of today (0: not), and by what.

    norms: whether networks are measured with batch norms measured anew too.
    """

    steps: float = 1.0
    views: bool = False
    teacher: str = "own"
    norms: bool = False


WAYS: dict[str, Way | Lone] = {
    "least squares": Way(steps=0, norms=True),
    TODAY: Way(norms=True),
    "views": Way(views=True),
    "3 times the steps": Way(steps=3),
    "views, 3 times the steps": Way(steps=3, views=True, norms=True),
    "ensemble teaches": Way(teacher="ensemble"),
    "views, ensemble teaches": Way(views=True, teacher="ensemble"),
    **LONE,
}


@dataclass(frozen=True)
class Subject:
    """A network with one stitch, at a match of a depth in [0, 1]."""

    stitch: int
    genotype: Genotype
    direction: int
    depth: float


def make_subjects(supernet: ns.Supernet) -> list[Subject]:
    """Both directions at MATCHES matches, spread over depth; those that no output uses left out."""
    last = len(supernet.matching) - 1
    shown = {round(i * last / (MATCHES - 1)) for i in range(MATCHES)}
    found = []
    for index, stitch in enumerate(supernet.stitches):
        genotype = single(supernet, index) if stitch.match in shown else None
        if genotype is not None:
            depth = stitch.match / max(1, last)
            found.append(Subject(index, genotype, stitch.source.network, depth))
    return found


@dataclass(frozen=True)
class Bench:
    """A fitted pair, and all that its ways are measured with."""

    pair: str
    seed: int
    task: Classification
    training: ns.Samples
    test: ns.Samples
    supernet: ns.Supernet
    subjects: Sequence[Subject]

    def results(self, name: str) -> Iterator[dict[str, Any]]:
        """The rows of a way: one, and another one where batch norms are measured anew too."""
        way = WAYS[name]
        yield from self._alone(name, way) if isinstance(way, Lone) else self._refined(name, way)

    def _refined(self, name: str, way: Way) -> Iterator[dict[str, Any]]:
        settings = PAIRS[self.pair].refine | {"seconds": None, "seed": self.seed}
        today = settings.get("steps") or max(STEPS, STEPS_EACH * len(self.supernet.stitches))
        steps, seconds = round(way.steps * today), 0.0
        if steps:
            settings |= {"steps": steps, "teacher": way.teacher}
            if way.views:
                settings["views"] = VIEWS.get(self.pair, CLOTHES)
            started = time.process_time()
            self.supernet.refine(self.training.batches(64), **settings)
            seconds = time.process_time() - started
        costs = [self.supernet.macs(each.genotype) for each in self.subjects]
        some = list(self.training.first(RECALIBRATED).batches(128))
        for called, batches in ((name, None), (name + ANEW, some)):
            if batches is None or way.norms:
                networks = (
                    self.supernet.subnetwork_graph(each.genotype, recalibrate=batches)
                    for each in self.subjects
                )
                found = [accuracy(*network, self.task, self.test) for network in networks]
                yield self._row(called, steps, seconds, found, costs)

    def _alone(self, name: str, kind: Lone) -> Iterator[dict[str, Any]]:
        images = self.training.inputs
        references = list(self.supernet.references().values())
        taught = [
            outputs(make_interpreter(*self.supernet.subnetwork_graph(genotype)), images).clone()
            for genotype in references
        ]
        started = time.process_time()
        made = [
            train_alone(
                *(self.supernet, each.genotype, each.stitch, kind, images),
                taught[int(each.genotype[-1])],
                steps=ALONE_STEPS,
                seed=self.seed,
            )
            for each in self.subjects
        ]
        spent = (time.process_time() - started) * len(self.supernet.stitches) / len(made)
        found = [accuracy(one.graph, one.weights, self.task, self.test) for one in made]
        yield self._row(name, ALONE_STEPS, spent, found, [one.multiply_adds for one in made])

    def _row(
        self, way: str, steps: int, seconds: float, found: Sequence[float], costs: Sequence[int]
    ) -> dict[str, Any]:
        whole = self.supernet.macs(self.supernet.genotype("ensemble"))
        return {
            "pair": self.pair,
            "seed": self.seed,
            "way": way,
            "steps": steps,
            "seconds": seconds,
            "references": {
                name: accuracy(*self.supernet.subnetwork_graph(genotype), self.task, self.test)
                for name, genotype in self.supernet.references().items()
            },
            "stitches": [
                {
                    "direction": each.direction,
                    "depth": each.depth,
                    "output": self.supernet.outputs[int(each.genotype[-1])],
                    "accuracy": one,
                    "cost": cost / whole,
                }
                for each, one, cost in zip(self.subjects, found, costs, strict=True)
            ],
        }


def make_bench(pair: str, seed: int) -> Bench:
    """The pair joined at distinct points and fitted by least squares, on images of the seed's."""
    task = load_task(pair)
    assert task.training is not None
    assert task.test is not None
    networks = load_networks(pair, task)
    supernet = ns.Supernet(networks, ns.match(*networks, points="distinct"))
    training, test = in_order_of(task.training, seed), in_order_of(task.test, seed).first(TEST)
    supernet.fit(training.batches(64))
    return Bench(pair, seed, task, training, test, supernet, make_subjects(supernet))


def measure(pair: str, seed: int, names: Sequence[str], file: Path) -> str:
    """Make and measure stitches in each of the named ways, appending to the file."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    bench = make_bench(pair, seed)
    fitted = {key: tensor.clone() for key, tensor in bench.supernet.stitch_weights().items()}
    for name in names:
        bench.supernet.set_stitches(fitted)
        rows = list(bench.results(name))
        with file.open("a") as log:  # at once, so that what is there is whole
            log.writelines(f"{json.dumps(row)}\n" for row in rows)
        for row in rows:
            middle = mean(each["accuracy"] for each in row["stitches"])
            print(
                f"{time.perf_counter() - began:5.0f} s  {pair}, seed {seed}, {row['way']}: "
                f"{100 * middle:.2f} % in {row['seconds']:.0f} s",
                flush=True,
            )
    return f"{pair}, seed {seed}"


def tables(rows: Sequence[dict[str, Any]]) -> str:
    """The results as Markdown, a table for each pair."""
    pairs = dict.fromkeys(row["pair"] for row in rows)
    return "\n\n".join(_table([row for row in rows if row["pair"] == pair]) for pair in pairs)


def _table(rows: Sequence[dict[str, Any]]) -> str:
    references = {
        name: mean(row["references"][name] for row in rows) for name in rows[0]["references"]
    }
    first, second = list(references)[:2]
    ways = dict.fromkeys(row["way"] for row in rows)
    shown = [way for name in WAYS for way in (name, name + ANEW) if way in ways]
    head = ["way", "seeds", "steps", "seconds", "cost"]
    head += [f"{a} to {b}, {t}" for a, b in ((first, second), (second, first)) for t in THIRDS]
    lines = [_line([*head, "lost, median", "mean", "of today's"]), "|---" * (len(head) + 3) + "|"]
    today = _lost([row for row in rows if row["way"] == TODAY])
    for way in shown:
        own = [row for row in rows if row["way"] == way]
        stitches = [each for row in own for each in row["stitches"]]
        cells = [way, str(len(own)), str(own[0]["steps"]), f"{_middle(own, 'seconds'):.0f}"]
        cells.append(f"{100 * mean(each['cost'] for each in stitches):.1f} %")
        for direction in (0, 1):
            for third in range(3):
                some = [
                    each["accuracy"]
                    for each in stitches
                    if each["direction"] == direction and min(2, int(3 * each["depth"])) == third
                ]
                cells.append(f"{100 * mean(some):.1f}" if some else "-")
        lost = _lost(own)
        cells += [f"{100 * median(lost):.2f}", f"{100 * mean(lost):.2f}"]
        cells.append(f"{100 * mean(lost) / mean(today):.0f} %" if today and mean(today) else "-")
        lines.append(_line(cells))
    told = ", ".join(f"{name} {100 * value:.1f}" for name, value in references.items())
    note = (
        f"{rows[0]['pair']}: accuracy on test images in percent, means over seeds and stitches of "
        "a third of the depth; cost is of the ensemble's, lost is what networks lose against the "
        f"one whose output they have, in points. Alone: {told}."
    )
    return "\n".join([*lines, "", note])


def _lost(rows: Sequence[dict[str, Any]]) -> list[float]:
    """Return what each stitch's network loses, the mean over seeds."""
    lost = [
        [row["references"][each["output"]] - each["accuracy"] for each in row["stitches"]]
        for row in rows
    ]
    return [mean(each) for each in zip(*lost, strict=True)]


def _middle(rows: Sequence[dict[str, Any]], key: str) -> float:
    found: float = median(row[key] for row in rows)
    return found


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy of single-stitch networks")
    parser.add_argument(
        "--pair", nargs="+", choices=tuple(PAIRS), default=["digits", "demo", "old-demo"]
    )
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--ways", nargs="+", choices=tuple(WAYS), default=list(WAYS))
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "stitches.jsonl"
    if not options.markdown:
        done = {(row["pair"], row["seed"], row["way"]) for row in _read(file)}
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            jobs = []
            for pair in options.pair:
                for seed in range(1, options.seeds + 1):
                    todo = [name for name in options.ways if (pair, seed, name) not in done]
                    if todo:
                        jobs.append(pool.submit(measure, pair, seed, todo, file))
            for job in as_completed(jobs):
                print(f"{job.result()} is done", flush=True)
    rows = [row for row in _read(file) if row["pair"] in options.pair]
    print(tables(rows))


def _read(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


if __name__ == "__main__":
    main()

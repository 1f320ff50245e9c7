"""Measures what sharing saves: evaluations against plain forwards of the same subnetworks.

    python benchmarks/evaluation.py [--part work|demo|imagenet|scaling ...] [--out DIR]

On streams of 2,000 genotypes that a genetic algorithm and GOMEA propose with 64 in flight, repeats
included (see `streams.py`), on one core:

- plain: the pruned subnetwork, run over all samples, for each proposal.
- signatures: one such run for each signature.
- union: the common values of every 16 or 64 that are pending are computed once; "chosen": the 16 of
  64 that share the most, as evaluations choose them.
- unavoidable: each distinct content once, where all of the stream were computed together.

work: multiply-adds of all of the stream for one sample; plain divided by the method's. "of
unavoidable" is the share of the most that can be saved of plain.

demo, imagenet: times of one sample, as ratios to plain, of the first proposals only: 1,000 of the
demo's, or as many as --proposals says, and 64 at ImageNet's size. Plain is timed on 100 of the
demo's proposals, and on 50 of either stream and 32 images at ImageNet's size; the rest, and
signatures, follow from their multiply-adds. Its modules are made before the clock starts. Times are
the processor's, so that others on the machine matter less. "work" is what the same proposals take
in operations, elementwise ones included: what the time would be if only they took any. Rows "early"
are given the floors of the stream, and end batch by batch where they cannot get over them; the
supernet of ImageNet's size has none, since its images are noise.

scaling: seconds of the first proposals in processes, as a user's run has them, nothing ended early:
1 process, 2, and 2 that compute some of 16 in flight together.

Streams are recorded once and kept in DIR.
"""

import argparse
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pairs import load_task
from streams import (
    PIXELS,
    Floors,
    Genotypes,
    Stream,
    demo_supernet,
    imagenet_supernet,
    load_streams,
)

import netstitch as ns
from netstitch.evaluation import Evaluator, ExecutionConfig, NumericsConfig, evaluating
from netstitch.evaluation.runtime.shared_work import SharedWork
from netstitch.evaluation.sample_order import most_informative_order
from netstitch.networks.content import content_keys
from netstitch.optimization import StoppedEarly
from netstitch.optimization.executors.executor import Request
from netstitch.optimization.executors.queue import Choose, EvaluationQueue
from netstitch.tasks import Classification, Samples

GENOTYPES, CAPACITY = 2_000, 64
ALGORITHMS = ("ga", "gomea")


@dataclass(frozen=True)
class Size:
    """The way a supernet is timed.

    used: samples that evaluations run on. proposals: of the stream. plain, images: proposals that
    plain is timed on, and samples of each. together: how many of CAPACITY that are pending are
    computed together.
    """

    used: int
    proposals: int
    batch: int
    plain: int
    images: int
    together: tuple[int, ...] = (1,)


SIZES = {
    "demo": Size(24, 1_000, 4, plain=100, images=24),
    "imagenet": Size(4, 64, 4, plain=50, images=32, together=(1, 16)),
}


PARTS = {"demo": {"work", "demo", "scaling"}, "imagenet": {"work", "imagenet"}}
"""The parts that are measured of each supernet."""


# -- multiply-adds


class Tracer:
    """Subnetworks as content keys of their values, and the multiply-adds of each value."""

    def __init__(self, supernet: ns.Supernet) -> None:
        self.supernet = supernet
        self.multiply_adds: dict[str, int] = {}

    def trace(self, genotype: np.ndarray) -> frozenset[str]:
        graph = self.supernet.pruned_graph(genotype)
        keys = content_keys(graph)
        found = {keys[node.name]: node.multiply_adds for node in graph.nodes if node.name in keys}
        self.multiply_adds |= found
        return frozenset(found)

    def work(self, keys: Iterable[str]) -> int:
        return sum(self.multiply_adds[key] for key in keys)


def in_groups(genotypes: Genotypes, count: int, choose: Choose) -> list[list[int]]:
    """Indices of those that are computed together, of CAPACITY that are pending at any time."""
    waiting, groups = EvaluationQueue(choose), []
    for index, genotype in enumerate(genotypes):
        waiting.put(Request(index, genotype))
        if len(waiting) == CAPACITY:
            groups.append(waiting.take(count))
    while len(waiting):
        groups.append(waiting.take(count))
    return [[one.ticket for one in group] for group in groups]


def count_work(supernet: ns.Supernet, stream: Genotypes) -> Mapping[str, int]:
    """Multiply-adds of each way to evaluate a stream, for one sample."""
    tracer = Tracer(supernet)
    by_digest = {supernet.wiring.digest(genotype): genotype for genotype in stream}
    distinct = list(by_digest.values())
    traced = [tracer.trace(genotype) for genotype in distinct]

    def united(groups: Iterable[Sequence[int]]) -> int:
        return sum(tracer.work(frozenset().union(*map(traced.__getitem__, g))) for g in groups)

    def as_asked(count: int) -> list[Sequence[int]]:
        numbers = range(len(distinct))
        return [numbers[at : at + count] for at in range(0, len(distinct), count)]

    return {
        "plain": sum(supernet.macs(genotype) for genotype in stream),
        "signatures": sum(supernet.macs(genotype) for genotype in distinct),
        "union of 16": united(as_asked(16)),
        "union of 16, chosen": united(in_groups(distinct, 16, SharedWork(supernet))),
        "union of 64": united(as_asked(64)),
        "unavoidable": tracer.work(tracer.multiply_adds),
    }


def print_work(name: str, found: Mapping[str, Mapping[str, int]]) -> None:
    print(f"\n{name}: multiply-adds, plain divided by the method's (of unavoidable)\n")
    print(f"| | {' | '.join(found)} |\n|---|{'---:|' * len(found)}")
    for row in next(iter(found.values())):
        cells = []
        for works in found.values():
            least, plain, own = works["unavoidable"], works["plain"], works[row]
            cells.append(f"{plain / own:.2f} ({(plain - own) / (plain - least):.0%})")
        print(f"| {row} | {' | '.join(cells)} |", flush=True)


# -- times


class Timed(Evaluator):
    """An evaluator that knows where its time goes."""

    forward = 0.0

    def _run(self, *args: Any) -> Any:
        started = time.process_time()
        result = super()._run(*args)
        self.forward += time.process_time() - started
        return result


def time_plain(
    supernet: ns.Supernet,
    task: Classification,
    genotypes: Sequence[np.ndarray],
    form: NumericsConfig,
    samples: int,
) -> tuple[list[float], list[float]]:
    """Seconds for each sample, and accuracy on the first ones, of subnetworks as modules."""
    batches = [form.arrange(batch) for batch in task.validation.batches(form.batch)]
    layout = torch.channels_last if form.channels_last else torch.contiguous_format
    seconds, accuracies = [], []
    for genotype in genotypes:
        module = supernet.subnetwork(genotype).to(memory_format=layout)
        started = time.process_time()
        with torch.inference_mode():
            outputs = torch.cat([module(batch) for batch in batches])
        accuracies.append(task.accuracy(outputs[:samples], task.validation.labels[:samples]))
        seconds.append((time.process_time() - started) / len(outputs))
    return seconds, accuracies


def print_times(
    supernet: ns.Supernet,
    task: Classification,
    size: Size,
    streams: Mapping[Stream, tuple[Genotypes, Floors]],
    early: bool,
) -> None:
    form = NumericsConfig(channels_last=True, batch=size.batch, workers=1)

    def operations(genotype: np.ndarray) -> int:
        return supernet.macs(genotype) + supernet.elementwise(genotype)

    print("\n| | time | work | evaluations | forward | other |")
    print("|---|---:|---:|---:|---:|---:|")
    for stream, (genotypes, floors) in streams.items():
        first = genotypes[: size.proposals]
        distinct = {supernet.wiring.digest(genotype): genotype for genotype in first}
        chosen = np.random.default_rng(0).permutation(len(first))[: size.plain]
        sample = [first[index] for index in chosen]
        # One half before and one behind the others, since a machine's speed drifts.
        half = len(sample) // 2
        seconds, expected = time_plain(supernet, task, sample[:half], form, size.used)
        whole = sum(map(operations, first))
        least = sum(map(operations, distinct.values()))
        rows: list[tuple[str, float, str]] = []
        samples = task.validation.first(size.used)
        if early:
            references = list(supernet.references().values())
            evaluator = Evaluator(supernet, task, samples, form)
            sure = evaluator.measured_together(references, task.margin)
            samples = samples.taken(most_informative_order([each for (each,) in sure]))
        for count, ends in product(size.together, (False, True) if early else (False,)):
            evaluator = Timed(supernet, task, samples, form)
            found: dict[bytes, Any] = {}
            floor_of = dict(zip(map(supernet.wiring.digest, first), floors, strict=False))
            digests, some = list(distinct), list(distinct.values())
            started = time.process_time()
            for group in in_groups(some, count, SharedWork(supernet)):
                names = [digests[index] for index in group]
                results = evaluator.together(
                    [some[index] for index in group],
                    [floor_of[name] if ends else None for name in names],
                )
                found |= dict(zip(names, results, strict=True))
            took = (time.process_time() - started) / size.used
            for genotype, accuracy in zip(sample, expected, strict=False):
                one = found[supernet.wiring.digest(genotype)]
                if isinstance(one, StoppedEarly):
                    assert one.objectives[0] >= accuracy
                else:
                    assert one.accuracy == accuracy
            ended = sum(isinstance(one, StoppedEarly) for one in found.values())
            done = f"{len(found)}, {ended} early"
            share = evaluator.forward / size.used / took
            name = f"ours{f', {count} together' * (count > 1)}{', early' * ends}"
            rows.append((name, took, f" | {done} | {share:.0%} | {1 - share:.0%}"))
        seconds += time_plain(supernet, task, sample[half:], form, size.used)[0]
        # An evaluation's time follows its multiply-adds, by which the sample stands for the rest.
        pace = sum(seconds) / sum(supernet.macs(genotype) for genotype in sample)
        plain = pace * sum(supernet.macs(genotype) for genotype in first)
        once = pace * sum(supernet.macs(genotype) for genotype in distinct.values())
        print(f"| {stream}: plain | 1.00 | 1.00 | {len(first)} | 100% | |")
        shown = f"{once / plain:.2f} | {least / whole:.2f} | {len(distinct)}"
        print(f"| {stream}: signatures | {shown} | 100% | |")
        for name, took, rest in rows:
            print(f"| {stream}: {name} | {took / plain:.2f} | {rest} |", flush=True)


def print_scaling(
    supernet: ns.Supernet, task: Classification, genotypes: Genotypes, count: int
) -> None:
    """Seconds of evaluations in processes, relative to one."""
    distinct = {supernet.wiring.digest(genotype): genotype for genotype in genotypes}
    some = list(distinct.values())[-count:]
    form = NumericsConfig(channels_last=True, batch=128, workers=1)

    def make(device: torch.device) -> Evaluator:
        return Evaluator(supernet, task, task.validation, form, device=device)

    print("\n| | seconds | times faster |\n|---|---:|---:|")
    first = None
    for workers, in_flight in ((1, 1), (2, 2), (1, 16), (2, 16)):
        spread = ExecutionConfig(workers=workers, in_flight=in_flight)
        with evaluating(make, spread) as executor:
            for ticket, genotype in enumerate(some[:in_flight]):  # workers start
                executor.submit(ticket, genotype)
            while executor.wait():
                pass
            started, asked, done = time.perf_counter(), 0, 0
            while done < len(some):
                while asked < min(len(some), done + in_flight):
                    executor.submit(asked, some[asked])
                    asked += 1
                done += len(executor.wait())
            took = time.perf_counter() - started
        first = first or took
        name = f"{workers} processes, {in_flight} in flight".replace("1 processes", "1 process")
        print(f"| {name} | {took:.1f} | {first / took:.2f} |", flush=True)


def task_of(name: str, size: Size) -> Classification:
    """Samples to be timed on; those of ImageNet's size are noise."""
    if name == "demo":
        task = load_task("old-demo")
        return Classification(validation=task.validation.first(size.images), classes=task.classes)
    noise = torch.randn(size.images, 3, PIXELS, PIXELS, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(size.images) % 1_000
    return Classification(validation=Samples(noise, labels, "noise"), classes=1_000)


def main() -> None:
    parser = argparse.ArgumentParser(description="Evaluations against plain forwards")
    parts = ("work", "demo", "imagenet", "scaling")
    parser.add_argument("--part", nargs="+", choices=parts, default=parts)
    parser.add_argument("--proposals", type=int, help="that are timed, of the demo's 2,000")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name, make in (("demo", demo_supernet), ("imagenet", imagenet_supernet)):
        if not PARTS[name] & set(options.part):
            continue
        size, supernet = SIZES[name], make()
        if options.proposals is not None and name == "demo":
            size = replace(size, proposals=options.proposals)
        asked = [Stream(name, algorithm, CAPACITY) for algorithm in ALGORITHMS]
        streams = load_streams(options.out / "evaluation-streams.npz", asked, supernet, GENOTYPES)
        if "work" in options.part:
            found = {
                str(stream): count_work(supernet, genotypes)
                for stream, (genotypes, _) in streams.items()
            }
            print_work(str(supernet), found)
        if name in options.part:
            print(f"\n{name}: times of the first {size.proposals} proposals, {size.used} samples")
            print_times(supernet, task_of(name, size), size, streams, early=name == "demo")
        if "scaling" in PARTS[name] & set(options.part):
            print_scaling(supernet, load_task("old-demo"), streams[asked[0]][0], 32)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

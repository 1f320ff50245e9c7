"""Measures evaluations over Ray: against processes, at most, and in bytes.

    python benchmarks/ray_rate.py throughput|rate|futures|engine|bytes|start [--temporary /tmp/r]

throughput: evaluations a second of `ProcessExecutor` and `RayExecutor`, 2 workers and room for as
many, on evaluations that wait for 100 ms and on ones that compute for about as long; medians of
three turns, of 100 evaluations after 20 others.

rate: trivial evaluations on 16 workers, room for 32 in flight: how many a second, and the processor
time that the coordinator spends on each, which is what bounds it on a machine where the workers are
elsewhere. With 413 and 1,400 variables, one and eight genotypes at once.

futures: what `ray.wait` takes on that many evaluations under way.

engine: what a search itself spends on an evaluation, as the genetic algorithm with 413 variables
and trivial evaluations in the same process.

bytes: what goes over the network for an evaluation, between a head node with the coordinator and a
node with the worker, both on this machine, so that everything goes over its loopback interface;
heartbeats and metrics that go on without any evaluation are subtracted. Payload is the pickled
genotypes and results alone.

start: the same when workers load an evaluation that carries 200 MB as NumPy arrays, or as a torch
module, or nothing: the first worker of a node, and a second one; with the seconds until each can
evaluate.
"""

import argparse
import os
import pickle
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from netstitch.optimization import (
    Executor,
    Genotype,
    Objective,
    Problem,
    ProcessExecutor,
    RayExecutor,
    SearchSettings,
    SerialExecutor,
    run_search,
)
from netstitch.optimization.executors.ray_connection import connect
from netstitch.optimization.executors.replaced_actors import RayPool, packed_genotypes

LENGTHS = (413, 1_400)
"""Lengths of genotypes: the paper's ImageNet (a), and a supernet a few times as large."""

Evaluate = Callable[[Genotype], tuple[float, ...]]


def trivial(genotype: Genotype) -> tuple[float, ...]:
    return (float(genotype.sum()), 1.0)


def waits(genotype: Genotype) -> tuple[float, ...]:
    time.sleep(0.1)
    return (1.0, 1.0)


def computes(genotype: Genotype) -> tuple[float, ...]:
    total = 0
    for number in range(1_300_000):
        total += number
    return (float(total), 1.0)


class Carries:
    """An evaluation with weights."""

    def __init__(self, weights: Any) -> None:
        self.weights = weights

    def __call__(self, genotype: Genotype) -> tuple[float, ...]:
        return (1.0, 1.0)


def genotypes(length: int, count: int) -> list[Genotype]:
    return list(np.random.default_rng(0).integers(0, 2, (count, length)))


def evaluations_per_second(executor: Executor, asked: list[Genotype], warm: int) -> float:
    """Keeps the executor full; the first ones, during which workers start, do not count."""
    given = taken = 0
    start = time.perf_counter()
    while taken < len(asked):
        while given < len(asked) and given - taken < executor.capacity:
            executor.submit(given, asked[given])
            given += 1
        before = taken
        taken += len(executor.wait())
        if before < warm <= taken:
            warm, start = taken, time.perf_counter()
    return (len(asked) - warm) / (time.perf_counter() - start)


def throughput(temporary: Path) -> None:
    print("| evaluation | processes | Ray | ratio |\n|---|---|---|---|")
    for evaluate in (waits, computes):
        rates: dict[str, list[float]] = {"processes": [], "Ray": []}
        for _ in range(3):
            for name, found in rates.items():
                executor: ProcessExecutor | RayExecutor
                if name == "processes":
                    executor = ProcessExecutor(evaluate, 2)
                else:
                    executor = RayExecutor(evaluate, 2, temporary=temporary)
                try:
                    found.append(evaluations_per_second(executor, genotypes(413, 120), 20))
                finally:
                    executor.close()
        processes, ray = (median(found) for found in rates.values())
        row = f"{processes:.2f} | {ray:.2f} | {ray / processes:.3f}"
        print(f"| {evaluate.__name__} | {row} |", flush=True)


def rate(temporary: Path) -> None:
    joined = connect(None, 16, temporary=temporary)
    print(
        "| variables | at once | evaluations a second | coordinator, µs each | at most a second |"
    )
    print("|---|---|---|---|---|")
    for length in LENGTHS:
        for group in (1, 8, 32):
            executor = RayExecutor(trivial, 16, capacity=32 * group, group=group)
            try:
                evaluations_per_second(executor, genotypes(length, 2_000), 1)
                asked = genotypes(length, 4_000 * min(group, 8))
                start = time.process_time()
                speed = evaluations_per_second(executor, asked, 1)
                each = (time.process_time() - start) / len(asked)
            finally:
                executor.close()
            row = f"{speed:,.0f} | {1e6 * each:.0f} | {1 / each:,.0f}"
            print(f"| {length:,} | {group} | {row} |", flush=True)
    joined.close()


def futures(temporary: Path) -> None:
    joined = connect(None, 1, temporary=temporary)
    ray = joined.ray

    class Sleeper:
        def sleep(self) -> None:
            time.sleep(3_600)

    sleeper = ray.remote(Sleeper).remote()
    waiting = [sleeper.sleep.remote() for _ in range(9_000)]
    print("| under way | ms for a `ray.wait` with one that is done |\n|---|---|")
    for count in (16, 90, 1_000, 9_000):
        done = [ray.put(number) for number in range(100)]
        start = time.perf_counter()
        for one in done:
            assert ray.wait([*waiting[: count - 1], one])[0] == [one]
        print(f"| {count:,} | {10 * (time.perf_counter() - start):.2f} |", flush=True)
    ray.kill(sleeper)
    joined.close()


def engine(temporary: Path) -> None:
    problem = Problem((2,) * 413, (Objective("a", maximise=True), Objective("b")))
    print("| population | µs for an evaluation | at most a second |\n|---|---|---|")
    for population in (64, 512, 2_048):
        generator = np.random.default_rng(0)
        weights = generator.random((2, 413))

        def evaluate(genotype: Genotype, weights: Any = weights) -> tuple[float, ...]:
            return tuple(weights @ genotype)

        start = time.process_time()
        result = run_search(
            problem,
            SerialExecutor(evaluate, capacity=population),
            SearchSettings(evaluations=max(20_000, 4 * population), population=population),
            seed=0,
        )
        each = (time.process_time() - start) / result.evaluated
        print(f"| {population} | {1e6 * each:.0f} | {1 / each:,.0f} |", flush=True)


def sent() -> int:
    """Bytes that went over the loopback interface so far."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        if line.strip().startswith("lo:"):
            return int(line.split(":")[1].split()[8])
    raise SystemExit("there is no loopback interface: bytes are measured on Linux only")


@contextmanager
def two_nodes(temporary: Path, workers: int) -> Iterator[Any]:
    """A head node without room for workers, and another one with some; gives the package."""
    os.environ["RAY_TMPDIR"] = str(temporary)
    (temporary / "ray").mkdir(parents=True, exist_ok=True)
    from ray.cluster_utils import Cluster

    memory = {"object_store_memory": 2**30, "include_dashboard": False}
    cluster = Cluster()
    cluster.add_node(num_cpus=0, temp_dir=str(temporary), **memory)
    cluster.add_node(num_cpus=workers, **memory)
    joined = connect(cluster.address, workers)
    try:
        yield joined.ray
    finally:
        joined.close()
        cluster.shutdown()


def idle_bytes(seconds: float = 20.0) -> float:
    """Bytes a second while nothing is evaluated."""
    before = sent()
    time.sleep(seconds)
    return (sent() - before) / seconds


def bytes_moved(temporary: Path) -> None:
    with two_nodes(temporary, 1):
        print("| variables | at once | payload | over the network | an int64 genotype alone |")
        print("|---|---|---|---|---|")
        for length in LENGTHS:
            for group in (1, 8):
                executor = RayExecutor(trivial, 1, capacity=2 * group, group=group)
                asked = genotypes(length, 4_000)
                evaluations_per_second(executor, asked[:500], 1)
                idle = idle_bytes()
                before, start = sent(), time.perf_counter()
                evaluations_per_second(executor, asked, 1)
                moved = sent() - before - idle * (time.perf_counter() - start)
                executor.close()
                outcome = ([((1.0, 1.0), None)] * group, 0.1)
                payload = len(pickle.dumps(packed_genotypes(asked[:group]), 5)) + len(
                    pickle.dumps(outcome)
                )
                row = f"{payload / group:,.0f} | {moved / len(asked):,.0f} | {8 * length:,}"
                print(f"| {length:,} | {group} | {row} |", flush=True)
        print(f"without evaluations: {idle:,.0f} bytes a second (two nodes, one worker)")


def start(temporary: Path) -> None:
    import torch

    module = torch.nn.Sequential(*(torch.nn.Linear(2_500, 2_500, bias=False) for _ in range(8)))
    arrays = [np.ones((2_500, 2_500), dtype=np.float32) for _ in range(8)]
    print("| 200 MB as | worker of its node | MB over the network | seconds |\n|---|---|---|---|")
    with two_nodes(temporary, 3) as ray:
        for name, weights in (("nothing", None), ("arrays", arrays), ("module", module)):
            stored = ray.put(Carries(weights))
            crews = []
            for number in ("first", "second"):
                crew = RayPool(ray, stored, 1, 0.0)
                before, begin = sent(), time.perf_counter()
                crew.start()
                while not crew.idle:
                    crew.answers(inf)
                seconds = time.perf_counter() - begin
                moved = (sent() - before) / 1e6
                print(f"| {name} | {number} | {moved:.1f} | {seconds:.2f} |", flush=True)
                crews.append(crew)
            for crew in crews:
                crew.end()


PARTS = {
    "throughput": throughput,
    "rate": rate,
    "futures": futures,
    "engine": engine,
    "bytes": bytes_moved,
    "start": start,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="What evaluations over Ray cost")
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--temporary", type=Path, help="Ray's folder; its path has to be short")
    options = parser.parse_args()
    temporary = options.temporary or Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    try:
        PARTS[options.part](temporary)
    finally:
        if options.temporary is None:
            shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    main()

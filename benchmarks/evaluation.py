"""Evaluations per second against a plain forward of the same subnetworks, on the demo's supernet.

    python benchmarks/evaluation.py [--genotypes 100]

The genotypes are the first that a genetic algorithm proposes (recorded on few images, so that
recording is quick). Plain: the pruned subnetwork as a
module, made before the clock starts, run batch by batch over the 2,048
validation images, in the same memory layout, batch size and number of threads as ours. Times are
ratios to plain in the same run; all three give the same accuracies.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

import netstitch as ns
from netstitch.demo.data import load_supernet, load_task
from netstitch.evaluation import Evaluator, measure_form
from netstitch.optimization import (
    Budget,
    Initialisation,
    Objective,
    Problem,
    SerialExecutor,
    run_search,
)
from netstitch.searching import CACHE_BUDGET
from netstitch.threads import batch_workers

IMAGES_TO_RECORD = 128


def record(supernet: ns.Supernet, task: ns.Classification, count: int) -> list[np.ndarray]:
    """Distinct genotypes in the order in which a genetic algorithm asks for them."""
    form = measure_form(supernet, task.validation.inputs)
    few = Evaluator(supernet, task, task.validation.first(IMAGES_TO_RECORD), form)
    stream: list[np.ndarray] = []

    def evaluate(genotype: np.ndarray) -> tuple[float, float]:
        stream.append(genotype.copy())
        measured = few.evaluate(genotype)
        return measured.accuracy, float(measured.multiply_adds)

    run_search(
        Problem(
            supernet.cardinalities,
            (Objective("accuracy", maximise=True), Objective("multiply_adds")),
            signature=supernet.wiring.digest,
        ),
        SerialExecutor(evaluate),
        budget=Budget(count, count_skipped=False),
        population=min(64, count),
        seed=1,
        initial=list(supernet.references().values()),
        initialisation=Initialisation(uniform=(-1,)),
    )
    return stream


def main() -> None:
    parser = argparse.ArgumentParser(description="Evaluations against plain forwards")
    parser.add_argument("--genotypes", type=int, default=100)
    options = parser.parse_args()
    task = load_task()
    assert task.training is not None
    supernet = load_supernet()
    supernet.fit(task.training.batches(64))
    stream = record(supernet, task, options.genotypes)
    form = measure_form(supernet, task.validation.inputs)
    batches = [form.arrange(batch) for batch in task.validation.batches(form.batch)]

    layout = torch.channels_last if form.channels_last else torch.contiguous_format
    modules = [supernet.subnetwork(genotype).to(memory_format=layout) for genotype in stream]

    def plain() -> list[float]:
        accuracies = []
        for module in modules:

            def run(batch: torch.Tensor, module: torch.nn.Module = module) -> torch.Tensor:
                with torch.inference_mode():
                    return module(batch)

            with batch_workers(form.workers) as pool:
                outputs = torch.cat(list(pool.map(run, batches)))
            accuracies.append(task.accuracy(outputs, task.validation.labels))
        return accuracies

    def ours(budget: int) -> list[float]:
        evaluator = Evaluator(supernet, task, task.validation, form, budget=budget)
        return [evaluator.evaluate(genotype).accuracy for genotype in stream]

    print(f"{len(stream)} genotypes, {len(task.validation):,} images, {form}")
    expected, base = timed(plain)
    print(f"{'plain subnetworks':34}{1:6.2f}{len(stream) / base:8.1f} a second")
    for name, budget in (
        ("ours, no cache", 0),
        (f"ours, cache of {CACHE_BUDGET / 1e9:g} GB", CACHE_BUDGET),
    ):
        found, seconds = timed(lambda budget=budget: ours(budget))
        print(f"{name:34}{seconds / base:6.2f}{len(stream) / seconds:8.1f} a second")
        assert found == expected


def timed(work: Callable[[], list[float]]) -> tuple[list[float], float]:
    """The result and the seconds it took."""
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


if __name__ == "__main__":
    main()

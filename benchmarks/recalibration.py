"""Measures batch-norm recalibration: random subnetworks of the old demo, before and after.

    python benchmarks/recalibration.py [--images 1024] [--seed 3]

Stitches are fitted by least squares on all training images; statistics are measured on the first of
them, labels unused. Accuracies are those on the 10,000 test images.
"""

import argparse
import random
import time

from pairs import load_supernet, load_task
from torch import Tensor

from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.fitting import recalibrated, stitched_norms
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet

ACTIVE = (0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 6, 6, 8, 8)


def draw(supernet: Supernet, active: int, generator: random.Random) -> Genotype:
    """A random genotype of so many active stitches."""
    choices = [
        (index, choice)
        for index, switch in enumerate(supernet.switches)
        for choice, stitch in enumerate(switch.stitches)
        if stitch is not None
    ]
    while True:
        chosen = dict(generator.sample(choices, generator.randint(active, 3 * active)))
        genotype = supernet.genotype(generator.randrange(len(supernet.outputs)), chosen)
        if len(supernet.active_stitches(genotype)) == active:
            return genotype


def main() -> None:
    parser = argparse.ArgumentParser(description="Subnetworks with batch norms measured anew")
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    task, supernet = load_task("old-demo"), load_supernet("old-demo")
    assert task.training is not None
    assert task.test is not None
    supernet.fit(task.training.batches(64))
    batches: list[Tensor] = list(task.training.first(options.images).batches(128))
    form = NumericsConfig(channels_last=True, batch=250, workers=1)
    before = Evaluator(supernet, task, task.test, form)
    after = Evaluator(supernet, task, task.test, form, recalibration=batches)
    generator = random.Random(options.seed)
    rows = []
    print(f"{'stitches':>8}  {'output':10}{'norms':>6}{'before':>9}{'after':>9}{'seconds':>9}")
    for active in ACTIVE:
        genotype = draw(supernet, active, generator)
        graph, weights = supernet.subnetwork_graph(genotype)
        started = time.perf_counter()
        recalibrated(graph, weights, batches)
        seconds = time.perf_counter() - started
        both = [100 * each(genotype).accuracy for each in (before, after)]
        norms = len(stitched_norms(graph))
        output = supernet.outputs[int(genotype[-1])]
        print(
            f"{active:8}  {output:10}{norms:6}{both[0]:9.2f}{both[1]:9.2f}{seconds:9.2f}",
            flush=True,
        )
        rows += [both] if active else []
    means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
    print(f"{'mean of the stitched ones':26}{means[0]:7.2f}{means[1]:9.2f}")


if __name__ == "__main__":
    main()

"""Compares numbers of stitches of first genotypes: the old demo's supernet, least squares.

    python benchmarks/initial_stitches.py [--seeds 5] [--evaluations 300]

The genetic algorithm with a population of 32 and a budget of distinct evaluations, on the first 512
validation images so that it takes minutes; the hypervolume is that of the front on these images,
over accuracy 0.8 and up to 1.1 times the ensemble's multiply-adds. Seeds are the same for every
value.
"""

import argparse
from dataclasses import replace
from statistics import median

from pairs import load_supernet, load_task

from netstitch.analysis import hypervolume
from netstitch.evaluation import measure_numerics
from netstitch.searching.supernet_search import run
from netstitch.searching.supernet_search_settings import SupernetSearchSettings

VALUES = (1.5, 3.0, 6.18, 12.0)
FLOOR = 0.8


def main() -> None:
    parser = argparse.ArgumentParser(description="Stitches of first genotypes")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--evaluations", type=int, default=300)
    options = parser.parse_args()
    task = load_task("old-demo")
    assert task.training is not None
    supernet = load_supernet("old-demo")
    supernet.fit(task.training.batches(64))
    few = replace(task, validation=task.validation.first(512), test=None)
    form = measure_numerics(supernet, few.validation.inputs)
    whole = supernet.macs(supernet.genotype("ensemble"))
    print(f"{'initial stitches':>16}{'median hypervolume':>20}   each seed")
    for value in VALUES:
        volumes = []
        for seed in range(1, options.seeds + 1):
            front = run(
                supernet,
                few,
                SupernetSearchSettings(
                    algorithm="ga",
                    evaluations=options.evaluations,
                    count_skipped=False,
                    population=32,
                    initial_stitches=value,
                    first_networks=0.0,
                ),
                seed=seed,
                form=form,
            ).front
            accuracies = [point.validation for point in front]
            costs = [point.multiply_adds for point in front]
            volumes.append(hypervolume(accuracies, costs, ensemble=whole, accuracy_floor=FLOOR))
        each = " ".join(f"{volume:.4f}" for volume in volumes)
        print(f"{value:16g}{median(volumes):20.4f}   {each}", flush=True)


if __name__ == "__main__":
    main()

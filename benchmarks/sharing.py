"""Measures what an ensemble loses when its networks share what they compute.

    python benchmarks/sharing.py [--pair NAME] [--images 5000]

The supernet of distinct points, refined as `netstitch demo` and `run` do. Every ensemble with one
stitch that costs less than the whole ensemble, on test images: its cost, its accuracy, what it
gains over the better of its two members, and the overlap of the members' errors (images that both
get wrong, of those that either does). It tells whether sharing costs an ensemble its diversity, or
its members their accuracy.
"""

import argparse

import torch
from pairs import PAIRS, load_networks, load_task
from torch import Tensor

import netstitch as ns
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.stitching.reachability import Genotype


def main() -> None:
    parser = argparse.ArgumentParser(description="Ensembles that share what they compute")
    parser.add_argument("--pair", choices=tuple(PAIRS), default="demo")
    parser.add_argument("--images", type=int, default=5_000)
    options = parser.parse_args()
    task = load_task(options.pair)
    assert task.training is not None
    assert task.test is not None
    networks = load_networks(options.pair, task)
    supernet = ns.Supernet(networks, ns.match(*networks, points="distinct"))
    batches = task.training.batches(64)
    supernet.fit(batches)
    supernet.refine(batches, **PAIRS[options.pair].refine)
    test = task.test.first(options.images)
    evaluator = Evaluator(
        supernet, task, test, NumericsConfig(channels_last=True, batch=125, workers=1)
    )

    def wrong(genotype: Genotype) -> Tensor:
        return ~task.correct(evaluator.outputs(genotype), test.labels)

    whole = supernet.macs(supernet.genotype("ensemble"))
    shared = [supernet.genotype("ensemble", [switch]) for switch in range(len(supernet.switches))]
    cheaper = sorted((g for g in shared if supernet.macs(g) < 0.99 * whole), key=supernet.macs)
    print("| cost | accuracy | over the better member | errors in common |\n|---|---|---|---|")
    for genotype in [*cheaper, supernet.genotype("ensemble")]:
        members = []
        for output in range(len(supernet.names)):
            member = genotype.copy()
            member[-1] = output
            members.append(wrong(member))
        both, either = members[0] & members[1], members[0] | members[1]
        error = wrong(genotype).double().mean().item()
        least = min(member.double().mean().item() for member in members)
        print(
            f"| {100 * supernet.macs(genotype) / whole:.0f} % | {100 * (1 - error):.2f} | "
            f"{100 * (least - error):+.2f} | "
            f"{100 * both.sum().item() / max(1, either.sum().item()):.0f} % |",
            flush=True,
        )


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()

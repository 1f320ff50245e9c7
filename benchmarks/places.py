"""Compares points and objectives of the matching by where stitches stand.

    python benchmarks/places.py [--genotypes 2000] [--seed 1]
    python benchmarks/places.py --large

For the old demo's networks and each choice of points and objective: matches, decision variables,
seconds, and what random subnetworks of one network's output cost: how many have distinct
multiply-adds, and the largest gap between neighbouring ones as a share of the ensemble's, of all
and of the middle nine tenths; last, the mean distance of matched points in shares of their
networks' multiply-adds. Of the subnetworks one half takes each stitch with the probability of the
paper's first genotypes, 6.18 / l, the other with 1/2.

--large: the paper's ImageNet (a), resnet152 + efficientnet_b4, with random weights.
"""

import argparse
import time
from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from pairs import load_supernet

from netstitch.matching import OBJECTIVES, POINTS, Matching, equivalence_classes, match
from netstitch.matching.objectives import shares_before
from netstitch.networks import Network, capture
from netstitch.supernet.supernet import Supernet

LARGE = ("resnet152", "efficientnet_b4")
LARGE_SIZE = 224


def costs(supernet: Supernet, genotypes: int, seed: int) -> np.ndarray:
    """Multiply-adds of random subnetworks with one network's output, in ascending order."""
    rng = np.random.default_rng(seed)
    length = len(supernet.cardinalities)
    found = []
    for number in range(genotypes):
        chance = 0.5 if number % 2 else min(0.5, 6.18 / length)
        genotype = (rng.random(length) < chance).astype(np.int64)
        genotype[-1] = rng.integers(len(supernet.names))
        found.append(supernet.macs(genotype))
    return np.sort(np.array(found))


def compare(networks: Sequence[Network], genotypes: int, seed: int) -> None:
    """Print the points of both networks, and a line for each choice of points and objective."""
    for network in networks:
        chains = equivalence_classes(network.graph)
        print(f"{network.name}: {len(network.graph.points)} points in {len(chains)} chains")
    print(
        f"{'points':9}{'objective':14}{'matches':>8}{'variables':>10}{'seconds':>9}"
        f"{'distinct costs':>15}{'largest gap':>12}{'middle':>8}{'imbalance':>10}"
    )
    for points, objective in product(POINTS, OBJECTIVES):
        started = time.perf_counter()
        matching = match(*networks, points=points, objective=objective)
        seconds = time.perf_counter() - started
        supernet = Supernet(networks, matching)
        spread = costs(supernet, genotypes, seed)
        whole = supernet.macs(supernet.genotype("ensemble"))
        gap = np.diff(spread).max() / whole
        middle = spread[len(spread) // 20 : -(len(spread) // 20)]
        inner = np.diff(middle).max() / whole
        print(
            f"{points:9}{objective:14}{len(matching):8}{len(supernet.cardinalities):10}"
            f"{seconds:9.2f}{len(np.unique(spread)):15,}{gap:12.1%}{inner:8.2%}"
            f"{imbalance(networks, matching):10.3f}",
            flush=True,
        )


def imbalance(networks: Sequence[Network], matching: Matching) -> float:
    """The mean distance of matched points in shares of multiply-adds."""
    s, t = (shares_before(network.graph) for network in networks)
    return float(np.mean([abs(s[str(a)] - t[str(b)]) for a, b in (m.points for m in matching)]))


def large(seed: int) -> list[Network]:
    """Capture two networks of ImageNet's size."""
    import timm

    torch.manual_seed(seed)
    example = torch.randn(2, 3, LARGE_SIZE, LARGE_SIZE)
    return [
        capture(timm.create_model(name, pretrained=False).eval(), example, name=name)
        for name in LARGE
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Points and objectives of the matching")
    parser.add_argument("--genotypes", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--large", action="store_true")
    options = parser.parse_args()
    if options.large:
        networks = large(options.seed)
    else:
        networks = [n for n in load_supernet("old-demo").networks if isinstance(n, Network)]
    compare(networks, options.genotypes, options.seed)


if __name__ == "__main__":
    main()

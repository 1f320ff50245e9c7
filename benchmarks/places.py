"""Where stitches stand: points and objectives of the matching compared.

    python benchmarks/places.py [--genotypes 2000] [--seed 1]
    python benchmarks/places.py --large [--images 4]

For the demo's networks and each choice of points and objective: matches, decision variables,
seconds, mean held-out R^2 of the matches (measured on all of them in the same way), and what random
subnetworks of one network's output cost: how many have distinct multiply-adds, and the largest gap
between neighbouring ones as a share of the ensemble's, of all and of the middle nine tenths; last,
the mean distance of matched points in shares of their networks' multiply-adds. Of the subnetworks
one half takes each stitch with the probability of the paper's first genotypes, 6.18 / l, the other
with 1/2.

--large: the paper's ImageNet (a), resnet152 + efficientnet_b4, with random weights, which tell
nothing of stitchability; its cost is timed on samples and extrapolated.
"""

import argparse
import time
from collections.abc import Sequence
from itertools import product

import numpy as np
import torch

from netstitch.demo.data import load_supernet, load_task
from netstitch.matching import (
    OBJECTIVES,
    POINTS,
    Matching,
    Translations,
    affine_chains,
    match,
    translations,
)
from netstitch.matching.grouping import by_layout, read_together
from netstitch.matching.objectives import MEASURED
from netstitch.matching.regression import Targets, held_out_r2
from netstitch.matching.sampling import Batch, Layer, Sampling, sampled_features, width_of
from netstitch.matching.shares import shares_before
from netstitch.networks import Network, capture
from netstitch.supernet import Supernet

LARGE = ("resnet152", "efficientnet_b4")
LARGE_SIZE = 224
IMAGES, POSITIONS, MEMORY = 1_024, 4_096, 2_000_000_000
"""What stitchability takes by default."""


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


def header() -> None:
    print(
        f"{'points':9}{'objective':14}{'matches':>8}{'variables':>10}{'seconds':>9}"
        f"{'mean R2':>9}{'distinct costs':>15}{'largest gap':>12}{'middle':>8}"
        f"{'imbalance':>10}"
    )


def row(
    networks: Sequence[Network],
    points: str,
    objective: str,
    batches: Sequence[Batch] | None,
    known: Translations | None,
    genotypes: int,
    seed: int,
) -> Matching:
    """Match, and print a line of the table."""
    started = time.perf_counter()
    matching = match(
        *networks,
        points=points,
        objective=objective,
        batches=batches if objective in MEASURED else None,
    )
    seconds = time.perf_counter() - started
    supernet = Supernet(networks, matching)
    spread = costs(supernet, genotypes, seed)
    whole = supernet.macs(supernet.genotype("ensemble"))
    gap = np.diff(spread).max() / whole
    middle = spread[len(spread) // 20 : -(len(spread) // 20)]
    inner = np.diff(middle).max() / whole
    quality = "" if known is None else f"{np.mean(r2_of(networks, matching, known)):.3f}"
    print(
        f"{points:9}{objective:14}{len(matching):8}{len(supernet.cardinalities):10}{seconds:9.2f}"
        f"{quality:>9}{len(np.unique(spread)):15,}{gap:12.1%}{inner:8.2%}"
        f"{imbalance(networks, matching):10.3f}",
        flush=True,
    )
    return matching


def r2_of(networks: Sequence[Network], matching: Matching, known: Translations) -> list[float]:
    """The stitchability of each match."""
    at = [{n.name: i for i, n in enumerate(network.graph.points)} for network in networks]
    table = known.mean
    return [
        float(table[at[0][str(a)], at[1][str(b)]]) for a, b in (each.points for each in matching)
    ]


def imbalance(networks: Sequence[Network], matching: Matching) -> float:
    """The mean distance of matched points in shares of multiply-adds."""
    s, t = (shares_before(network.graph) for network in networks)
    return float(np.mean([abs(s[str(a)] - t[str(b)]) for a, b in (m.points for m in matching)]))


def demo(genotypes: int, seed: int) -> None:
    networks = [n for n in load_supernet().networks if isinstance(n, Network)]
    training = load_task().training
    assert training is not None
    batches = list(training.batches(64))
    started = time.perf_counter()
    known = translations(networks[0], networks[1], batches, projections=None)
    seconds = time.perf_counter() - started
    pairs = int(np.isfinite(known.a_to_b).sum())
    print(f"{pairs:,} compatible pairs, R^2 of all with full targets: {seconds:.1f} s")
    for network in networks:
        chains = affine_chains(network.graph)
        print(f"{network.name}: {len(network.graph.points)} points in {len(chains)} chains")
    header()
    for points, objective in product(POINTS, OBJECTIVES):
        row(networks, points, objective, batches, known, genotypes, seed)


def large(genotypes: int, seed: int, images: int) -> None:
    import timm

    torch.manual_seed(seed)
    example = torch.randn(2, 3, LARGE_SIZE, LARGE_SIZE)
    networks = [
        capture(timm.create_model(name, pretrained=False).eval(), example, name=name)
        for name in LARGE
    ]
    for network in networks:
        chains = affine_chains(network.graph)
        print(f"{network.name}: {len(network.graph.points)} points in {len(chains)} chains")
    header()
    for points, objective in product(POINTS, [o for o in OBJECTIVES if o not in MEASURED]):
        row(networks, points, objective, None, None, genotypes, seed)
    print("\nstitchability, timed on samples and extrapolated:")
    for points in POINTS:
        estimate(networks, points, images)


def estimate(networks: Sequence[Network], points: str, images: int) -> None:
    """Seconds to read features of all layouts, and to solve for all pairs, from samples."""
    a, b = networks
    pairs = None
    if points == "distinct":  # one point a chain; which one matters little for the time
        names = []
        for network in networks:
            outputs = {name for _, name in network.graph.outputs}
            ends = (chain[-1].name for chain in affine_chains(network.graph))
            names.append([name for name in ends if name not in outputs])
        pairs = list(product(*names))
    groups = by_layout(a, b, pairs, IMAGES, POSITIONS, MEMORY)
    inputs = torch.randn(images, 3, LARGE_SIZE, LARGE_SIZE)
    passes = read_together(groups, MEMORY)
    reading = solving = 0.0
    for together in passes:
        started = time.perf_counter()
        for side, network in enumerate(networks):
            few = [
                Layer(group[side].points, Sampling(images, group[side].sampling.positions))
                for group in together
            ]
            sampled_features(network, few, inputs, seed=0)
        reading += (time.perf_counter() - started) / images * IMAGES
    for group in groups:
        rows = group[0].sampling.images * group[0].sampling.positions
        held = torch.arange(rows) % 4 == 3
        spent = 0.0
        for side in (0, 1):
            # Targets as narrow as they are after projection; their values do not matter.
            columns = [min(width_of(node), 64) for node in group[1 - side].points]
            targets = Targets.of([torch.randn(rows, width) for width in columns], held, 64, 0)
            widths = [width_of(node) for node in group[side].points]
            for width in sorted(set(widths)):
                source = torch.randn(rows, width)
                started = time.perf_counter()
                held_out_r2(source, targets, held, 1e-3)
                spent += (time.perf_counter() - started) * widths.count(width)
        solving += spent
        shape = group[0].points[0].shape or ()
        pairs_here = len(group[0].points) * len(group[1].points)
        print(
            f"  {points:9}{'x'.join(map(str, shape[2:])) or 'flat':>8}: {pairs_here:6,} pairs, "
            f"{rows:5,} rows, solving {spent:4.0f} s",
            flush=True,
        )
    print(
        f"  {points}: {len(passes)} runs of both networks on {IMAGES:,} images, {reading:.0f} s, "
        f"solving {solving:.0f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Points and objectives of the matching")
    parser.add_argument("--genotypes", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--images", type=int, default=4, help="images that reading is timed on")
    options = parser.parse_args()
    if options.large:
        large(options.genotypes, options.seed, options.images)
    else:
        demo(options.genotypes, options.seed)


if __name__ == "__main__":
    main()

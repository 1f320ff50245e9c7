"""Matching of public architectures: the paper's three pairs, and wide ones.

    python benchmarks/matching_at_scale.py [--pairs voc hrnet ...] [--out DIR]

For each pair, every choice of points and objective: the pairs of the matching and its decision
variables, its weight and how far it may be from the maximum, seconds, and how it was found. Weights
of the networks are random.

Each pair is matched in a process of its own, on one core, that reads nothing but graphs, after a
small matching that compiles the solver. `peak` is that process's memory at its end, of which
`before` it had before the first matching; both are of all memory, torch's libraries included.
Capturing is done before in another process, and timed apart; DIR keeps it.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch

from netstitch.errors import MatchingError
from netstitch.files.documents import validated
from netstitch.matching import OBJECTIVES, POINTS, match
from netstitch.matching.acyclic.downsets import downsets
from netstitch.matching.acyclic.partial_order import partial_order, topological_order
from netstitch.matching.compatibility import candidates, kind_of
from netstitch.networks import Graph, capture
from netstitch.networks.graph import WEIGHT
from netstitch.networks.network_files import NetworkDocument, graph_to_json, to_graph
from netstitch.networks.sources.model_sources import load_model

PAIRS: dict[str, tuple[str, str, int]] = {
    "imagenet-a": ("timm:resnet152", "timm:efficientnet_b4", 224),
    "imagenet-b": ("timm:resnet50", "timm:resnext50_32x4d", 224),
    "voc": (
        "torchvision:deeplabv3_mobilenet_v3_large",
        "torchvision:deeplabv3_resnet50",
        520,
    ),
    "resnext101": ("timm:resnet101", "timm:resnext101_32x8d", 128),
    "mobilenets": ("timm:mobilenetv3_large_100", "timm:efficientnet_b0", 128),
    "densenets": ("timm:densenet121", "timm:densenet201", 128),
    "regnet": ("timm:regnety_032", "timm:convnext_tiny", 128),
    "mixed": ("timm:coatnet_0_rw_224", "timm:edgenext_small", 224),
    "poolformer": ("timm:poolformer_s24", "timm:convnextv2_nano", 128),
    "resnest": ("timm:resnest50d", "timm:dla60", 128),
    "googlenet": ("torchvision:googlenet", "torchvision:vgg16_bn", 128),
    "inception": ("timm:inception_v3", "timm:xception41", 160),
    "inceptions": ("timm:inception_v3", "torchvision:googlenet", 160),
    "inception-v4": ("timm:inception_v4", "timm:inception_resnet_v2", 160),
    "hrnet": ("timm:hrnet_w18_small", "timm:resnet50", 128),
    "hrnets": ("timm:hrnet_w18_small", "timm:hrnet_w18", 128),
    "nasnet": ("timm:nasnetalarge", "timm:resnet50", 160),
    "nasnets": ("timm:nasnetalarge", "timm:pnasnet5large", 160),
}
"""Two models and the size of their input: the paper's three, and further ones at sizes that make
capturing quick; the matching of a pair is as large at any."""
COUNTED = 5_000_000
"""Downsets that are counted at most, where a graph has more than can be solved."""


@dataclass(frozen=True)
class Known:
    """A network of which only the graph is at hand."""

    name: str
    graph: Graph


def prepare(pair: str, folder: Path) -> None:
    """Capture both, and write their graphs and the seconds down."""
    first, second, size = PAIRS[pair]
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    captured, seconds = [], []
    for source in (first, second):
        torch.manual_seed(0)
        model = load_model(source)
        started = time.perf_counter()
        captured.append(capture(model, images, name=source.partition(":")[2]))
        seconds.append(time.perf_counter() - started)
    folder.mkdir(parents=True, exist_ok=True)
    for index, network in enumerate(captured):
        document = {"name": network.name} | graph_to_json(network.graph)
        (folder / f"{index}.json").write_text(json.dumps(document))
    (folder / "seconds.json").write_text(json.dumps(seconds))


def read(folder: Path) -> list[Known]:
    found = []
    for index in (0, 1):
        path = folder / f"{index}.json"
        document = validated(json.loads(path.read_text()), NetworkDocument, path)
        found.append(Known(document.name, to_graph(document, path)))
    return found


def width(network: Known, other: Known) -> str:
    """How many sets of nodes can be done before the others: what the exact programme goes over."""
    nodes = [node for node in network.graph.nodes if node.operation != WEIGHT]
    at = {node.name: index for index, node in enumerate(nodes)}
    edges = [(at[name], at[node.name]) for node in nodes for name in node.inputs if name in at]
    kinds = {kind_of(node) for node in candidates(other.graph)}
    kept = [at[node.name] for node in candidates(network.graph) if kind_of(node) in kinds]
    linear = topological_order(len(nodes), edges, network.name)
    found = downsets(partial_order(linear, edges, kept), COUNTED, COUNTED)
    return f"over {COUNTED:,}" if found is None else f"{len(found):,}"


def measure(pair: str, folder: Path) -> None:
    """Print the rows of a pair."""
    networks = read(folder)
    match(*networks, weights=_random(networks))  # compiles what all need
    before = _memory()
    for points, objective in product(POINTS, OBJECTIVES):
        started = time.perf_counter()
        try:
            found = match(*networks, points=points, objective=objective)
        except MatchingError as error:
            print(f"| {pair} | {points} | {objective} | none: {error} |", flush=True)
            continue
        seconds = time.perf_counter() - started
        short = 0.0 if found.exact else 1 - found.weight / found.upper_bound
        print(
            f"| {pair} | {points} | {objective} | {len(found)} | {2 * len(found) + 1} "
            f"| {found.weight:.2f} | {f'{short:.2%}' if short else 'maximum'} | {seconds:.2f} "
            f"| {found.method} |",
            flush=True,
        )
    peak = _memory()  # counting downsets below takes more than matching does
    seconds = json.loads((folder / "seconds.json").read_text())
    counts = [len(network.graph.points) for network in networks]
    print(
        f"  {networks[0].name} + {networks[1].name}: {counts[0]} and {counts[1]} points, downsets "
        f"{width(*networks)} and {width(networks[1], networks[0])}; capture {seconds[0]:.1f} and "
        f"{seconds[1]:.1f} s; memory {before:.2f} GB before, peak {peak:.2f} GB",
        flush=True,
    )


def _random(networks: Sequence[Known]) -> np.ndarray:
    """Weights of chance for all pairs of points."""
    sizes = [len(network.graph.points) for network in networks]
    return np.random.default_rng(0).random(sizes)


def _memory() -> float:
    """Most gigabytes that this process ever took."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def _in_a_process(step: str, pair: str, out: Path) -> None:
    environment = dict(os.environ) | dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
    )
    command = [sys.executable, __file__, "--step", step, "--pairs", pair, "--out", str(out)]
    subprocess.run(command, check=True, env=environment)


def main() -> None:
    parser = argparse.ArgumentParser(description="Matching of public architectures")
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=list(PAIRS))
    parser.add_argument("--out", type=Path, default=Path("matching-at-scale"))
    parser.add_argument("--step", choices=("prepare", "measure"), help="of one pair, in here")
    options = parser.parse_args()
    if options.step:
        step = prepare if options.step == "prepare" else measure
        step(options.pairs[0], options.out / options.pairs[0])
        return
    print(
        "| pair | points | objective | matches | variables | weight | at most short of the maximum "
        "| seconds | found by |\n|---|---|---|---|---|---|---|---|---|"
    )
    for pair in options.pairs:
        if not (options.out / pair / "seconds.json").is_file():
            _in_a_process("prepare", pair, options.out)
        _in_a_process("measure", pair, options.out)


if __name__ == "__main__":
    main()

"""Matching of public architectures: the paper's three pairs, wide ones, and three and four at once.

    python benchmarks/matching_at_scale.py [--sets voc hrnet ...] [--out DIR]

For each set of networks, every choice of points and objective: the matches and their decision
variables, their weight (for the count the pairs that are joined), the proven bound and how far the
weight may be from the maximum, seconds, and how it was found. Weights of the networks are random.

Each set is matched in a process of its own, on one core, that reads nothing but graphs, after a
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

SETS: dict[str, tuple[int, tuple[str, ...]]] = {
    "imagenet-a": (224, ("timm:resnet152", "timm:efficientnet_b4")),
    "imagenet-b": (224, ("timm:resnet50", "timm:resnext50_32x4d")),
    "voc": (
        520,
        ("torchvision:deeplabv3_mobilenet_v3_large", "torchvision:deeplabv3_resnet50"),
    ),
    "resnext101": (128, ("timm:resnet101", "timm:resnext101_32x8d")),
    "mobilenets": (128, ("timm:mobilenetv3_large_100", "timm:efficientnet_b0")),
    "densenets": (128, ("timm:densenet121", "timm:densenet201")),
    "regnet": (128, ("timm:regnety_032", "timm:convnext_tiny")),
    "mixed": (224, ("timm:coatnet_0_rw_224", "timm:edgenext_small")),
    "poolformer": (128, ("timm:poolformer_s24", "timm:convnextv2_nano")),
    "resnest": (128, ("timm:resnest50d", "timm:dla60")),
    "googlenet": (128, ("torchvision:googlenet", "torchvision:vgg16_bn")),
    "inception": (160, ("timm:inception_v3", "timm:xception41")),
    "inceptions": (160, ("timm:inception_v3", "torchvision:googlenet")),
    "inception-v4": (160, ("timm:inception_v4", "timm:inception_resnet_v2")),
    "hrnet": (128, ("timm:hrnet_w18_small", "timm:resnet50")),
    "hrnets": (128, ("timm:hrnet_w18_small", "timm:hrnet_w18")),
    "nasnet": (160, ("timm:nasnetalarge", "timm:resnet50")),
    "nasnets": (160, ("timm:nasnetalarge", "timm:pnasnet5large")),
    "small": (
        128,
        ("torchvision:resnet18", "torchvision:mobilenet_v2", "torchvision:efficientnet_b0"),
    ),
    "resnets": (128, ("torchvision:resnet18", "torchvision:resnet34", "torchvision:resnet50")),
    "deep-resnets": (128, ("timm:resnet50", "timm:resnet101", "timm:resnet152")),
    "mobiles": (
        128,
        ("timm:mobilenetv2_100", "timm:mobilenetv3_large_100", "timm:efficientnet_b0"),
    ),
    "lites": (
        128,
        ("timm:tf_efficientnet_lite0", "timm:tf_efficientnet_lite1", "timm:tf_efficientnet_lite2"),
    ),
    "kinds": (128, ("torchvision:densenet121", "torchvision:resnet50", "torchvision:vgg16_bn")),
    "convnext": (128, ("timm:regnety_032", "timm:convnext_tiny", "timm:resnet50")),
    "branches": (128, ("timm:hrnet_w18_small", "timm:resnet50", "timm:resnet18")),
    "four-small": (
        128,
        (
            "torchvision:resnet18",
            "torchvision:mobilenet_v2",
            "torchvision:efficientnet_b0",
            "torchvision:densenet121",
        ),
    ),
    "four-large": (
        128,
        ("timm:resnet50", "timm:resnext50_32x4d", "timm:regnety_032", "timm:densenet121"),
    ),
}
"""The size of the input, and the models: the paper's three pairs, and further sets at sizes that
make capturing quick; their matchings are as large at any."""
COUNTED = 5_000_000
"""Downsets that are counted at most, where a graph has more than can be solved."""


@dataclass(frozen=True)
class Known:
    """A network of which only the graph is at hand."""

    name: str
    graph: Graph


def prepare(name: str, folder: Path) -> None:
    """Capture all, and write their graphs and the seconds down."""
    size, sources = SETS[name]
    images = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    captured, seconds = [], []
    for source in sources:
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


def read(name: str, folder: Path) -> list[Known]:
    found = []
    for index in range(len(SETS[name][1])):
        path = folder / f"{index}.json"
        document = validated(json.loads(path.read_text()), NetworkDocument, path)
        found.append(Known(document.name, to_graph(document, path)))
    return found


def width(network: Known, others: Sequence[Known]) -> str:
    """Return how many sets of nodes can be done before the others: the exact program's states."""
    nodes = [node for node in network.graph.nodes if node.operation != WEIGHT]
    at = {node.name: index for index, node in enumerate(nodes)}
    edges = [(at[name], at[node.name]) for node in nodes for name in node.inputs if name in at]
    kinds = {kind_of(node) for other in others for node in candidates(other.graph)}
    kept = [at[node.name] for node in candidates(network.graph) if kind_of(node) in kinds]
    linear = topological_order(len(nodes), edges, network.name)
    found = downsets(partial_order(linear, edges, kept), COUNTED, COUNTED)
    return f"over {COUNTED:,}" if found is None else f"{len(found):,}"


def measure(name: str, folder: Path) -> None:
    """Print the rows of a set of networks."""
    networks = read(name, folder)
    match(*networks[:2], weights=_random(networks[:2]))  # compiles what all need
    before = _memory()
    for points, objective in product(POINTS, OBJECTIVES):
        started = time.perf_counter()
        try:
            found = match(*networks, points=points, objective=objective)
        except MatchingError as error:
            print(f"| {name} | {points} | {objective} | none: {error} |", flush=True)
            continue
        seconds = time.perf_counter() - started
        short = 0.0 if found.exact else 1 - found.weight / found.upper_bound
        variables = sum(len(each.members) for each in found) + 1
        print(
            f"| {name} | {points} | {objective} | {len(found)} | {variables} | {found.weight:.2f} "
            f"| {found.upper_bound:.2f} | {f'{short:.2%}' if short else 'maximum'} "
            f"| {seconds:.2f} | {found.method} |",
            flush=True,
        )
    peak = _memory()  # counting downsets below takes more than matching does
    seconds = json.loads((folder / "seconds.json").read_text())
    counts = [len(network.graph.points) for network in networks]
    widths = [width(one, [each for each in networks if each is not one]) for one in networks]
    print(
        f"  {' + '.join(network.name for network in networks)}: points {counts}, downsets "
        f"{' x '.join(widths)}; capture {sum(seconds):.1f} s; memory {before:.2f} GB before, peak "
        f"{peak:.2f} GB",
        flush=True,
    )


def _random(networks: Sequence[Known]) -> np.ndarray:
    """Weights of chance for all pairs of points."""
    sizes = [len(network.graph.points) for network in networks]
    return np.random.default_rng(0).random(sizes)


def _memory() -> float:
    """Most gigabytes that this process ever took."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def _in_a_process(step: str, name: str, out: Path) -> None:
    environment = dict(os.environ) | dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
    )
    command = [sys.executable, __file__, "--step", step, "--sets", name, "--out", str(out)]
    subprocess.run(command, check=True, env=environment)


def main() -> None:
    parser = argparse.ArgumentParser(description="Matching of public architectures")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--out", type=Path, default=Path("matching-at-scale"))
    parser.add_argument("--step", choices=("prepare", "measure"), help="of one set, in here")
    options = parser.parse_args()
    if options.step:
        step = prepare if options.step == "prepare" else measure
        step(options.sets[0], options.out / options.sets[0])
        return
    print(
        "| set | points | objective | matches | variables | weight | bound "
        "| at most short of the maximum | seconds | found by |\n"
        "|---|---|---|---|---|---|---|---|---|---|"
    )
    for name in options.sets:
        if not (options.out / name / "seconds.json").is_file():
            _in_a_process("prepare", name, options.out)
        _in_a_process("measure", name, options.out)


if __name__ == "__main__":
    main()

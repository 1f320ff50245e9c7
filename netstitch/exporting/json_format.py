"""JSON graph and safetensors: what netstitch itself reads back."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx

from netstitch.files.documents import read_as
from netstitch.files.folders import write_json
from netstitch.networks.graph import Graph
from netstitch.networks.module import build_module
from netstitch.networks.network_files import (
    WEIGHTS_FILE,
    GraphDocument,
    built,
    check_weights,
    graph_to_json,
    read_weights,
    to_graph,
    write_weights,
)

SUBNETWORK = "netstitch-subnetwork-1"
SUBNETWORK_FILE = "subnetwork.json"


class SubnetworkDocument(GraphDocument):
    """subnetwork.json."""

    card: dict[str, Any]


def write_subnetwork(
    folder: Path, graph: Graph, weights: dict[str, Tensor], card: dict[str, Any]
) -> None:
    """Write a subnetwork's graph and weights into an existing folder, and plain data beside."""
    document = {"format": SUBNETWORK, "card": card} | graph_to_json(graph)
    write_json(folder / SUBNETWORK_FILE, document)
    write_weights(folder / WEIGHTS_FILE, weights)


def load_subnetwork(folder: Path) -> fx.GraphModule:
    """Return the module of an exported subnetwork, from its JSON graph and safetensors."""
    path = folder / SUBNETWORK_FILE
    graph = to_graph(read_as(path, SUBNETWORK, SubnetworkDocument), path)
    weights = read_weights(folder / WEIGHTS_FILE)
    check_weights(graph, weights, folder / WEIGHTS_FILE)
    for tensor in weights.values():
        if isinstance(tensor, torch.nn.Parameter):
            tensor.requires_grad_(tensor.is_floating_point())
    return built(path, lambda: build_module(graph, weights))

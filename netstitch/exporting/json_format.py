"""JSON graph and safetensors: what netstitch itself reads back."""

from pathlib import Path

import torch
from torch import Tensor, fx

from netstitch.files.documents import Document, damaged, validated
from netstitch.files.folders import read_json, write_json
from netstitch.networks.graph import WEIGHT, Graph
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
from netstitch.networks.staged import StagedGraph, check_staged, threshold_node
from netstitch.networks.staged_module import build_any_module
from netstitch.text import one_line

SUBNETWORK = "netstitch-subnetwork-1"
CASCADE = "netstitch-cascade-1"
SUBNETWORK_FILE = "subnetwork.json"


class SubnetworkDocument(GraphDocument):
    """subnetwork.json."""

    card: dict[str, object]


class CascadeDocument(Document):
    """subnetwork.json of a cascade."""

    card: dict[str, object]
    key: str | None
    stages: tuple[GraphDocument, ...]


def write_subnetwork(
    folder: Path, graph: Graph | StagedGraph, weights: dict[str, Tensor], card: dict[str, object]
) -> None:
    """Write a subnetwork's graph and weights into an existing folder, and plain data beside."""
    document: dict[str, object]
    if isinstance(graph, StagedGraph):
        stages = [graph_to_json(stage) for stage in graph.stages]
        document = {"format": CASCADE, "card": card, "key": graph.key, "stages": stages}
    else:
        document = {"format": SUBNETWORK, "card": card} | graph_to_json(graph)
    write_json(folder / SUBNETWORK_FILE, document)
    write_weights(folder / WEIGHTS_FILE, weights)


def load_subnetwork(folder: Path) -> fx.GraphModule:
    """Return the module of an exported subnetwork or cascade, from JSON graphs and safetensors."""
    path = folder / SUBNETWORK_FILE
    weights = read_weights(folder / WEIGHTS_FILE)
    graph = _read_graph(path)
    check_weights(_all_weights(graph), weights, folder / WEIGHTS_FILE)
    for tensor in weights.values():
        if isinstance(tensor, torch.nn.Parameter):
            tensor.requires_grad_(tensor.is_floating_point())
    return built(path, lambda: build_any_module(graph, weights))


def _read_graph(path: Path) -> Graph | StagedGraph:
    data = read_json(path, SUBNETWORK, CASCADE)
    if data["format"] == SUBNETWORK:
        return to_graph(validated(data, SubnetworkDocument, path), path)
    document = validated(data, CascadeDocument, path)
    stages = tuple(to_graph(stage, path, one_input=False) for stage in document.stages)
    graph = StagedGraph(stages, document.key)
    try:
        check_staged(graph)
    except ValueError as error:
        raise damaged(path, one_line(error)) from error
    return graph


def _all_weights(graph: Graph | StagedGraph) -> Graph:
    """Return a graph of all weights that are read."""
    if isinstance(graph, Graph):
        return graph
    return Graph((*(n for n in graph.nodes if n.operation == WEIGHT), threshold_node(graph)), ())

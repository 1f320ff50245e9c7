"""Networks on disk: a JSON graph of listed operations beside safetensors. Never a pickle.

Whatever a file holds, opening it can only fail or give a graph of listed operations.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

from netstitch.errors import StorageError
from netstitch.files.documents import read_as
from netstitch.files.folders import write_bytes, write_json
from netstitch.files.tensor_files import placed, read_tensors
from netstitch.networks.graph import WEIGHT, Graph
from netstitch.networks.graph_document import GraphDocument, graph_to_json, to_graph
from netstitch.networks.network import Network
from netstitch.text import one_line

FORMAT = "netstitch-network-1"
GRAPH_FILE, WEIGHTS_FILE = "graph.json", "weights.safetensors"
_PARAMETERS = "parameters"

Built = TypeVar("Built")


class NetworkDocument(GraphDocument):
    """graph.json."""

    name: str


def write_network(network: Network, folder: Path) -> None:
    """Write graph.json and weights.safetensors into an existing folder."""
    document = {"format": FORMAT, "name": network.name} | graph_to_json(network.graph)
    write_json(folder / GRAPH_FILE, document)
    write_weights(folder / WEIGHTS_FILE, network.weights)


def load_network(folder: Path | str) -> Network:
    """Return the network that `write_network` wrote.

    Raises:
        StorageError: naming the file, when one is missing, damaged or holds what is not listed.
    """
    folder = Path(folder)
    path = folder / GRAPH_FILE
    document = read_as(path, FORMAT, NetworkDocument)
    graph = to_graph(document, path)
    weights = read_weights(folder / WEIGHTS_FILE)
    check_weights(graph, weights, folder / WEIGHTS_FILE)
    return built(path, lambda: Network(document.name, graph, weights))


def load_graph(path: Path) -> Graph:
    """Return the graph of a network that `write_network` wrote, from graph.json alone."""
    return to_graph(read_as(path, FORMAT, NetworkDocument), path)


def built(path: Path, build: Callable[[], Built]) -> Built:
    """Return what `build` makes; raise StorageError, naming the file, where it cannot."""
    try:
        return build()
    except Exception as error:  # whatever torch says of a graph that nobody captured
        raise StorageError(f"{path} describes no network ({one_line(error)})") from error


def write_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors; which of them are parameters is kept in the header."""
    write_bytes(path, weights_content(weights))


def weights_content(weights: Mapping[str, Tensor]) -> bytes:
    """Return what `write_weights` writes."""
    parameters = [key for key, value in weights.items() if isinstance(value, torch.nn.Parameter)]
    tensors: dict[str, Tensor] = {}
    seen: set[int] = set()
    for key, value in weights.items():
        tensor = value.detach().cpu().contiguous()
        memory = tensor.untyped_storage().data_ptr()
        # The format takes no tensors that share memory.
        tensors[key] = tensor.clone() if memory in seen else tensor
        seen.add(memory)
    return placed(to_bytes(tensors, metadata={_PARAMETERS: json.dumps(parameters)}))


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return tensors by key, in aligned memory; frozen parameters where they were parameters.

    Raises:
        StorageError: when the file is missing or is no safetensors file.
    """
    try:
        tensors, about = read_tensors(path)
        parameters = json.loads(about.get(_PARAMETERS, "[]"))
    except FileNotFoundError:
        raise StorageError(f"{path} is missing; the folder is not complete") from None
    except Exception as error:  # the reader raises kinds of its own, of Rust, Python and torch
        raise StorageError(
            f"{path} is not a readable safetensors file ({one_line(error)}); other kinds, such as "
            "pickles, are never opened"
        ) from error
    if not isinstance(parameters, list) or not all(isinstance(key, str) for key in parameters):
        raise StorageError(f"{path}: its list of parameters is damaged")
    frozen = set(parameters)
    return {
        key: torch.nn.Parameter(value, requires_grad=False) if key in frozen else value
        for key, value in tensors.items()
    }


def check_weights(graph: Graph, weights: Mapping[str, Tensor], path: Path) -> None:
    """Raise StorageError unless the weights are just those that the graph names, in shape too."""
    surplus = set(weights)
    for node in graph.nodes:
        if node.operation != WEIGHT:
            continue
        surplus.discard(node.path)
        tensor = weights.get(node.path)
        if tensor is None:
            raise StorageError(f"{path} lacks the tensor {node.path!r} that its graph names")
        dtype = str(tensor.dtype).removeprefix("torch.")
        if tuple(tensor.shape) != node.shape or dtype != node.dtype:
            raise StorageError(
                f"{path}: tensor {node.path!r} is {dtype} {tuple(tensor.shape)}, "
                f"its graph says {node.dtype} {node.shape}"
            )
    if surplus:
        raise StorageError(f"{path} holds the tensor {min(surplus)!r} that its graph does not name")

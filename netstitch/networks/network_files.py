"""Networks on disk: a JSON graph of listed operations beside safetensors. Never a pickle.

Whatever a file holds, opening it can only fail or give a graph of listed operations. Names end up
in code that torch.fx makes, so they are held to what can be nothing but a name.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, TypeVar

import torch
from pydantic import Field
from safetensors.torch import save as to_bytes
from torch import Tensor

from netstitch.errors import StorageError
from netstitch.files.alignment import placed, read_tensors
from netstitch.files.documents import Document, damaged, read_as
from netstitch.files.folders import write_bytes, write_json
from netstitch.networks.feature_layout import stitchable
from netstitch.networks.graph import INPUT, WEIGHT, Argument, Enumerated, Graph, Node, Ref
from netstitch.networks.keys import Keys, is_identifier, is_key
from netstitch.networks.network import Network
from netstitch.networks.operations import ENUMERATIONS, KINDS
from netstitch.networks.propagation import check_arguments
from netstitch.text import one_line

FORMAT = "netstitch-network-1"
GRAPH_FILE, WEIGHTS_FILE = "graph.json", "weights.safetensors"
_PARAMETERS = "parameters"

Built = TypeVar("Built")

OperationCount = Annotated[int, Field(ge=0, le=2**48)]
"""The cost of one node; those of all nodes of a network add up to a number of 64 bits."""


class NodeRow(Document):
    """A node; see `Node`. Its arguments are as `_argument_from_json` takes them."""

    name: str
    operation: str
    args: list[object]
    kwargs: dict[str, object]
    shape: tuple[Annotated[int, Field(ge=0)] | str, ...] | None
    dtype: str | None
    path: str
    multiply_adds: OperationCount
    elementwise: OperationCount
    point: bool
    channels: int = 1


class GraphDocument(Document):
    """A graph; see `Graph`."""

    outputs: tuple[tuple[str | None, str], ...]
    nodes: tuple[NodeRow, ...]


class NetworkDocument(GraphDocument):
    """graph.json."""

    name: str


def write_network(network: Network, folder: Path) -> None:
    """Write graph.json and weights.safetensors into an existing folder."""
    document = {"format": FORMAT, "name": network.name} | graph_to_json(network.graph)
    write_json(folder / GRAPH_FILE, document)
    write_weights(folder / WEIGHTS_FILE, network.weights)


def load_network(folder: Path | str) -> Network:
    """Return the network that `write_network` wrote; raise StorageError where it is damaged."""
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
    """Return the result of `build`; raise StorageError, naming the file, where it fails."""
    try:
        return build()
    except Exception as error:  # whatever torch says of a graph that nobody captured
        raise StorageError(f"{path} describes no network ({one_line(error)})") from error


def write_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors; which of them are parameters is kept in the header."""
    write_bytes(path, weights_content(weights))


def weights_content(weights: Mapping[str, Tensor]) -> bytes:
    """Return the content of the file that `write_weights` writes."""
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

    Raises StorageError when the file is missing or is no safetensors file.
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


def graph_to_json(graph: Graph) -> dict[str, object]:
    """Return a graph as JSON data: a row per node, references as {"ref": name}."""
    return {
        "outputs": [list(pair) for pair in graph.outputs],
        "nodes": [
            {each.name: getattr(node, each.name) for each in fields(node)}
            | {
                "args": [_argument_to_json(item) for item in node.args],
                "kwargs": {key: _argument_to_json(item) for key, item in node.kwargs.items()},
                "shape": None if node.shape is None else list(node.shape),
            }
            for node in graph.nodes
        ],
    }


def to_graph(document: GraphDocument, path: Path, *, one_input: bool = True) -> Graph:
    """Return the graph of a document that was read from `path`; raise StorageError for damage."""
    try:
        nodes = _nodes(document.nodes)
        if one_input and sum(node.operation == INPUT for node in nodes.values()) != 1:
            raise ValueError("it does not have exactly one input")
        keys = [key for key, _ in document.outputs]
        named = None not in keys and len(set(keys)) == len(keys) > 0
        if not named and keys != [None]:
            raise ValueError(f"the keys {keys!r:.80} of the outputs are not distinct strings")
        if any(name not in nodes for _, name in document.outputs):
            raise ValueError("an output names no node")
        graph = Graph(tuple(nodes.values()), document.outputs)
        check_arguments(graph)
    except (TypeError, ValueError) as error:
        raise damaged(path, one_line(error)) from error
    return graph


def _nodes(rows: Sequence[NodeRow]) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    keys = Keys()
    for row in rows:
        node = _node(row)
        if node.operation not in (INPUT, WEIGHT) and node.operation not in KINDS:
            raise ValueError(f"operation {node.operation!r:.80} is not one that netstitch runs")
        unknown = [name for name in node.inputs if name not in nodes]
        if unknown or node.name in nodes:
            raise ValueError(
                f"node {node.name!r} stands twice or reads {unknown} before it is made"
            )
        if node.operation == WEIGHT:
            if not is_key(node.path) or keys.clashes(node.path):
                raise ValueError(f"the weight {node.path!r:.80} of {node.name!r} cannot be a key")
            keys.add(node.path)
        nodes[node.name] = node
    return nodes


def _node(row: NodeRow) -> Node:
    if not is_identifier(row.name):
        raise ValueError(f"{row.name!r:.80} cannot be the name of a node")
    if row.dtype is not None and not isinstance(vars(torch).get(row.dtype), torch.dtype):
        raise ValueError(f"node {row.name!r} has dtype {row.dtype!r:.80}")
    if not all(is_identifier(key) for key in row.kwargs):
        raise ValueError(f"a keyword of node {row.name!r} is not an identifier")
    if row.point and not stitchable(row.shape, row.dtype, row.channels):
        raise ValueError(f"node {row.name!r} cannot be a point, by its shape and type")
    return Node(
        **dict(row)
        | {
            "args": tuple(_argument_from_json(item) for item in row.args),
            "kwargs": {key: _argument_from_json(item) for key, item in row.kwargs.items()},
        }
    )


def _argument_to_json(argument: Argument) -> object:
    if isinstance(argument, Ref):
        return {"ref": argument.name}
    if isinstance(argument, Enumerated):
        return {argument.kind: argument.value}
    if isinstance(argument, tuple):
        return [_argument_to_json(item) for item in argument]
    if isinstance(argument, float):
        return {"float": repr(argument)}  # JSON has no infinity, and 1.0 must not become 1
    return argument


def _argument_from_json(value: object) -> Argument:
    if isinstance(value, list):
        return tuple(_argument_from_json(item) for item in value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, dict) and len(value) == 1:
        [(kind, content)] = value.items()
        if kind == "ref" and isinstance(content, str):
            return Ref(content)
        if kind == "float" and isinstance(content, str):
            return float(content)
        members = vars(torch) if isinstance(content, str) else {}
        if kind in ENUMERATIONS and isinstance(members.get(content), ENUMERATIONS[kind]):
            return Enumerated(kind, content)
    raise ValueError(f"{value!r:.80} is not an argument of an operation")

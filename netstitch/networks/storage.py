"""Networks on disk: a JSON graph of listed operations beside safetensors. Never a pickle.

Whatever a file holds, opening it can only fail or give a graph of listed operations.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from netstitch.errors import StorageError
from netstitch.folders import new_folder, read_json, write_bytes, write_json
from netstitch.networks.graph import INPUT, WEIGHT, Argument, Enumerated, Graph, Node, Ref
from netstitch.networks.network import Network
from netstitch.networks.operations import KINDS

FORMAT = "netstitch-network-1"
GRAPH_FILE, WEIGHTS_FILE = "graph.json", "weights.safetensors"
_ENUMERATIONS = {"dtype": torch.dtype, "memory_format": torch.memory_format, "layout": torch.layout}
_PARAMETERS = "parameters"


def save_network(network: Network, folder: Path | str) -> None:
    """Write a network into a new folder, whole or not at all.

    Raises StorageError when the folder exists and is not empty, or cannot be written.
    """
    with new_folder(Path(folder)) as partial:
        write_network(network, partial)


def write_network(network: Network, folder: Path) -> None:
    """Write graph.json and weights.safetensors into an existing folder."""
    document = {"format": FORMAT, "name": network.name} | graph_to_json(network.graph)
    write_json(folder / GRAPH_FILE, document)
    write_weights(folder / WEIGHTS_FILE, network.weights)


def load_network(folder: Path | str) -> Network:
    """The network that `save_network` wrote.

    Raises StorageError, naming the file, when one is missing, damaged or holds what is not listed.
    """
    folder = Path(folder)
    document = read_json(folder / GRAPH_FILE, FORMAT)
    graph = graph_from_json(document, folder / GRAPH_FILE)
    weights = read_weights(folder / WEIGHTS_FILE)
    check_weights(graph, weights, folder / WEIGHTS_FILE)
    return Network(str(document.get("name", "network")), graph, weights)


def write_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors; which of them are parameters is kept in the header."""
    parameters = [key for key, value in weights.items() if isinstance(value, torch.nn.Parameter)]
    tensors = {key: value.detach().cpu().contiguous() for key, value in weights.items()}
    seen: set[int] = set()
    for key, tensor in tensors.items():  # safetensors refuses tensors that share memory
        if tensor.data_ptr() in seen:
            tensors[key] = tensor.clone()
        seen.add(tensor.data_ptr())
    write_bytes(path, to_bytes(tensors, metadata={_PARAMETERS: json.dumps(parameters)}))


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by key; frozen parameters where they were parameters."""
    try:
        tensors = load_file(path)
        with safetensors.safe_open(path, framework="pt") as file:  # type: ignore[no-untyped-call]
            parameters = json.loads((file.metadata() or {}).get(_PARAMETERS, "[]"))
    except FileNotFoundError:
        raise StorageError(f"{path} is missing; the folder is not complete") from None
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise StorageError(f"{path} is not a readable safetensors file ({error})") from error
    return {
        key: torch.nn.Parameter(value, requires_grad=False) if key in parameters else value
        for key, value in tensors.items()
    }


def check_weights(graph: Graph, weights: Mapping[str, Tensor], path: Path) -> None:
    """Raise StorageError unless the weights are those that the graph names, shapes included."""
    for node in graph.nodes:
        if node.operation != WEIGHT:
            continue
        tensor = weights.get(node.path)
        if tensor is None:
            raise StorageError(f"{path} lacks the tensor {node.path!r} that its graph names")
        if tuple(tensor.shape) != node.shape:
            raise StorageError(
                f"{path}: tensor {node.path!r} has shape {tuple(tensor.shape)}, "
                f"its graph says {node.shape}"
            )


def graph_to_json(graph: Graph) -> dict[str, Any]:
    """A graph as JSON data: a row per node, references as {"ref": name}."""
    return {
        "outputs": [list(pair) for pair in graph.outputs],
        "nodes": [
            {
                "name": node.name,
                "operation": node.operation,
                "args": [_argument_to_json(item) for item in node.args],
                "kwargs": {key: _argument_to_json(item) for key, item in node.kwargs.items()},
                "shape": None if node.shape is None else list(node.shape),
                "dtype": node.dtype,
                "path": node.path,
                "multiply_adds": node.multiply_adds,
                "elementwise": node.elementwise,
                "point": node.point,
            }
            for node in graph.nodes
        ],
    }


def graph_from_json(document: Mapping[str, Any], path: Path) -> Graph:
    """The graph that JSON data describes, checked.

    Raises StorageError for an operation that is not listed, a reference to a node that does not
    come before, or anything of a wrong type.
    """
    nodes: list[Node] = []
    known: set[str] = set()
    try:
        for row in document["nodes"]:
            node = _node_from_json(row)
            if node.operation not in (INPUT, WEIGHT) and node.operation not in KINDS:
                raise StorageError(
                    f"{path}: operation {node.operation!r} is not one that netstitch runs; "
                    "the file is damaged or was not written by netstitch"
                )
            unknown = [name for name in node.inputs if name not in known]
            if unknown or node.name in known:
                raise StorageError(
                    f"{path}: node {node.name!r} stands twice or reads {unknown} before it is made"
                )
            known.add(node.name)
            nodes.append(node)
        outputs = tuple((key, name) for key, name in document["outputs"])
        keys = [key for key, _ in outputs]
        if not outputs or not all(key is None or isinstance(key, str) for key in keys):
            raise ValueError("outputs")
        if any(name not in known for _, name in outputs):
            raise ValueError("outputs name no node")
        if sum(node.operation == INPUT for node in nodes) != 1:
            raise ValueError("expected one input")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StorageError(f"{path} is damaged ({type(error).__name__}: {error})") from error
    return Graph(tuple(nodes), outputs)


def _node_from_json(row: Mapping[str, Any]) -> Node:
    name, operation, shape = row["name"], row["operation"], row["shape"]
    if not (isinstance(name, str) and name.isidentifier() and isinstance(operation, str)):
        raise ValueError(f"node {name!r}")
    if not isinstance(row["path"], str) or (operation == WEIGHT and not _is_key(row["path"])):
        raise ValueError(f"path of {name!r}")
    if shape is not None and not all(isinstance(size, int | str) for size in shape):
        raise ValueError(f"shape of {name!r}")
    return Node(
        name=name,
        operation=operation,
        args=tuple(_argument_from_json(item) for item in row["args"]),
        kwargs={str(key): _argument_from_json(item) for key, item in row["kwargs"].items()},
        shape=None if shape is None else tuple(shape),
        dtype=None if row["dtype"] is None else str(row["dtype"]),
        path=row["path"],
        multiply_adds=int(row["multiply_adds"]),
        elementwise=int(row["elementwise"]),
        point=bool(row["point"]),
    )


def _is_key(path: str) -> bool:
    """Names that can stand in generated code as attributes: letters, digits, underscores."""
    return bool(path) and all(
        part and part.replace("_", "a").isalnum() and part.isascii() for part in path.split(".")
    )


def _argument_to_json(argument: Argument) -> Any:
    if isinstance(argument, Ref):
        return {"ref": argument.name}
    if isinstance(argument, Enumerated):
        return {argument.kind: argument.value}
    if isinstance(argument, tuple):
        return [_argument_to_json(item) for item in argument]
    if isinstance(argument, float):
        return {"float": repr(argument)}  # JSON has no infinity, and 1.0 must not become 1
    return argument


def _argument_from_json(value: Any) -> Argument:
    if isinstance(value, list):
        return tuple(_argument_from_json(item) for item in value)
    if isinstance(value, dict):
        ((kind, content),) = value.items()
        if not isinstance(content, str):
            raise ValueError(f"argument {value}")
        if kind == "ref":
            return Ref(content)
        if kind == "float":
            return float(content)
        if kind in _ENUMERATIONS and isinstance(
            getattr(torch, content, None), _ENUMERATIONS[kind]
        ):
            return Enumerated(kind, content)
        raise ValueError(f"argument {value}")
    if value is None or isinstance(value, bool | int | str):
        return value
    raise ValueError(f"argument {value}")

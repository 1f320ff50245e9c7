"""Networks on disk: a JSON graph of listed operations beside safetensors. Never a pickle.

Whatever a file holds, opening it can only fail or give a graph of listed operations.
"""

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor

from netstitch.errors import StorageError
from netstitch.folders import new_folder, one_line, read_json, write_bytes, write_json
from netstitch.networks.graph import INPUT, WEIGHT, Argument, Enumerated, Graph, Node, Ref
from netstitch.networks.keys import Keys, is_identifier, is_key
from netstitch.networks.network import Network
from netstitch.networks.operations import KINDS
from netstitch.networks.points import stitchable
from netstitch.tensor_files import placed, read_tensors

FORMAT = "netstitch-network-1"
GRAPH_FILE, WEIGHTS_FILE = "graph.json", "weights.safetensors"
_ENUMERATIONS = {"dtype": torch.dtype, "memory_format": torch.memory_format, "layout": torch.layout}
_PARAMETERS = "parameters"

Built = TypeVar("Built")


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
    path = folder / GRAPH_FILE
    document = read_json(path, FORMAT)
    name = document.get("name")
    if not isinstance(name, str):
        raise StorageError(f"{path} is damaged (the network's name is {name!r:.80})")
    graph = graph_from_json(document, path)
    weights = read_weights(folder / WEIGHTS_FILE)
    check_weights(graph, weights, folder / WEIGHTS_FILE)
    return built(path, lambda: Network(name, graph, weights))


def load_graph(path: Path) -> Graph:
    """The graph of a network that `save_network` wrote, from its graph.json alone."""
    return graph_from_json(read_json(path, FORMAT), path)


def built(path: Path, build: Callable[[], Built]) -> Built:
    """What `build` gives; StorageError, naming the file, where a stored graph cannot be built."""
    try:
        return build()
    except Exception as error:  # whatever torch says of a graph that nobody captured
        raise StorageError(f"{path} describes no network ({one_line(error)})") from error


def write_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors; which of them are parameters is kept in the header."""
    parameters = [key for key, value in weights.items() if isinstance(value, torch.nn.Parameter)]
    tensors = {key: value.detach().cpu().contiguous() for key, value in weights.items()}
    seen: set[int] = set()
    for key, tensor in tensors.items():  # safetensors refuses tensors that share memory
        memory = tensor.untyped_storage().data_ptr()
        if memory in seen:
            tensors[key] = tensor.clone()
        seen.add(memory)
    content = to_bytes(tensors, metadata={_PARAMETERS: json.dumps(parameters)})
    write_bytes(path, placed(content))


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by key, in aligned memory; frozen parameters where they were parameters.

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

    Names and keys end up in code that torch.fx makes, so they are held to what can be nothing but
    a name.

    Raises StorageError for an operation that is not listed, a reference to a node that does not
    come before, or anything of a wrong type.
    """
    try:
        nodes = _nodes(document["nodes"], path)
        outputs = _outputs(document["outputs"], {node.name for node in nodes})
    except StorageError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise StorageError(f"{path} is damaged ({reason})") from error
    return Graph(nodes, outputs)


def _nodes(rows: Any, path: Path) -> tuple[Node, ...]:
    nodes: dict[str, Node] = {}
    keys = Keys()
    for row in rows:
        node = _node_from_json(row)
        if node.operation not in (INPUT, WEIGHT) and node.operation not in KINDS:
            raise StorageError(
                f"{path}: operation {node.operation!r:.80} is not one that netstitch runs; "
                "the file is damaged or was not written by netstitch"
            )
        unknown = [name for name in node.inputs if name not in nodes]
        if unknown or node.name in nodes:
            raise StorageError(
                f"{path}: node {node.name!r} stands twice or reads {unknown} before it is made"
            )
        if node.operation == WEIGHT:
            if not is_key(node.path) or keys.clashes(node.path):
                raise ValueError(f"the weight {node.path!r:.80} of {node.name!r}")
            keys.add(node.path)
        nodes[node.name] = node
    if sum(node.operation == INPUT for node in nodes.values()) != 1:
        raise ValueError("expected one input")
    return tuple(nodes.values())


def _outputs(pairs: Any, known: Collection[str]) -> tuple[tuple[str | None, str], ...]:
    outputs = tuple((key, name) for key, name in pairs)
    keys = [key for key, _ in outputs]
    named = all(isinstance(key, str) for key in keys) and len(set(keys)) == len(keys) > 0
    if not named and keys != [None]:
        raise ValueError(f"the outputs' keys {keys!r:.80}")
    if any(name not in known for _, name in outputs):
        raise ValueError("an output that is no node")
    return outputs


def _node_from_json(row: Mapping[str, Any]) -> Node:
    name = row["name"]
    if not isinstance(name, str) or not is_identifier(name):
        raise ValueError(f"node {name!r:.80}")
    operation, path, dtype = row["operation"], row["path"], row["dtype"]
    if not isinstance(operation, str) or not isinstance(path, str):
        raise ValueError(f"operation or path of {name!r}")
    if dtype is not None and not isinstance(vars(torch).get(dtype), torch.dtype):
        raise ValueError(f"dtype of {name!r}")
    kwargs = row["kwargs"]
    if not all(is_identifier(key) for key in kwargs):
        raise ValueError(f"a keyword of {name!r}")
    shape, point = _shape(row["shape"], name), row["point"]
    if not isinstance(point, bool) or (point and not stitchable(shape, dtype)):
        raise ValueError(f"{name!r} is no point")
    return Node(
        name=name,
        operation=operation,
        args=tuple(_argument_from_json(item) for item in _a_list(row["args"])),
        kwargs={key: _argument_from_json(item) for key, item in kwargs.items()},
        shape=shape,
        dtype=dtype,
        path=path,
        multiply_adds=_count(row["multiply_adds"], name),
        elementwise=_count(row["elementwise"], name),
        point=point,
    )


def _shape(sizes: Any, name: str) -> tuple[int | str, ...] | None:
    if sizes is None:
        return None
    if not all(isinstance(size, int | str) and size is not True for size in _a_list(sizes)):
        raise ValueError(f"shape of {name!r}")
    return tuple(sizes)


def _count(value: Any, name: str) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"cost of {name!r}")
    return value


def _a_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r:.80} is no list")
    return value


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
            raise ValueError(f"argument {value!r:.80}")
        if kind == "ref":
            return Ref(content)
        if kind == "float":
            return float(content)
        if kind in _ENUMERATIONS and isinstance(vars(torch).get(content), _ENUMERATIONS[kind]):
            return Enumerated(kind, content)
        raise ValueError(f"argument {value!r:.80}")
    if value is None or isinstance(value, bool | int | str):
        return value
    raise ValueError(f"argument {value!r:.80}")

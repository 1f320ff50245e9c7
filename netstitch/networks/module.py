"""Ordinary PyTorch modules, made of a graph and its weights."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from netstitch.networks.graph import INPUT, WEIGHT, Argument, Enumerated, Graph, Node, Ref
from netstitch.networks.operations import resolve

Weights = Mapping[str, Tensor]
"""Parameters, buffers and constants by their key, such as "layer3.4.conv2.weight"."""


def build_module(
    graph: Graph,
    weights: Weights,
    *,
    outputs: Sequence[str] | None = None,
    html: Callable[[], str] | None = None,
) -> fx.GraphModule:
    """Return a module that computes the graph; it holds nothing of netstitch.

    Args:
        graph: what to compute; nodes that no output depends on are left out. Of several inputs,
            the module takes them in their order.
        weights: `torch.nn.Parameter` values become parameters, other tensors buffers; the module
            holds these very tensors, not copies.
        outputs: names of nodes; the module then returns their values as a list. By default it
            returns what the graph does: a tensor, or a dictionary of tensors.
        html: makes what notebooks show of the module, though not of its copies.
    """
    wanted = [name for _, name in graph.outputs] if outputs is None else list(outputs)
    needed = ancestors(graph, wanted)
    root, drawn, inputs = nn.Module(), fx.Graph(), 0
    values: dict[str, fx.Node] = {}
    for node in graph.nodes:
        if node.operation == INPUT:
            values[node.name] = drawn.placeholder(f"x_{inputs}" if inputs else "x")
            inputs += 1
        elif node.name not in needed:
            continue
        elif node.operation == WEIGHT:
            register(root, node.path, weights[node.path])
            values[node.name] = drawn.create_node("get_attr", node.path, name=node.name)
        else:
            values[node.name] = add_operation(drawn, node, values)
    returned = [values[name] for name in wanted]
    if outputs is not None:
        drawn.output(returned)
    elif graph.output_keys == (None,):
        drawn.output(returned[0])
    else:
        drawn.output(dict(zip(map(str, graph.output_keys), returned, strict=True)))
    module = fx.GraphModule(root, drawn, class_name="StitchedNetwork")
    if html is not None:
        # torch has just made this class for this module alone; copies and pickles get new ones,
        # while an attribute of the module would go with them.
        type(module)._repr_html_ = lambda _: html()  # type: ignore[attr-defined]
    return module.eval()


def ancestors(graph: Graph, outputs: Sequence[str]) -> set[str]:
    """Return the names of all nodes that the given ones depend on, themselves included."""
    needed = set(outputs)
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return needed


def add_operation(drawn: fx.Graph, node: Node, values: Mapping[str, fx.Node]) -> fx.Node:
    """Add a node's operation to a graph of torch; values stand for the nodes that it reads."""
    args = tuple(to_torch(argument, values) for argument in node.args)
    kwargs = {key: to_torch(argument, values) for key, argument in node.kwargs.items()}
    function = resolve(node.operation)
    return drawn.create_node("call_function", function, args, kwargs, name=node.name)


def to_torch(argument: Argument, values: Mapping[str, object]) -> Any:
    """Return an argument as torch calls take it, with references replaced by their values."""
    if isinstance(argument, Ref):
        return values[argument.name]
    if isinstance(argument, tuple):
        return [to_torch(item, values) for item in argument]
    if isinstance(argument, Enumerated):
        return vars(torch)[argument.value]
    return argument


def register(root: nn.Module, key: str, tensor: Tensor) -> None:
    """Hang a tensor into nested modules, so that the state dict keeps the key a user knows."""
    *path, name = key.split(".")
    module = root
    for part in path:
        if part not in module._modules:
            module.add_module(part, nn.Module())
        module = module.get_submodule(part)
    if isinstance(tensor, nn.Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def copied_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return copies of weights by the same keys; those of parameters take gradients."""
    copies: dict[str, Tensor] = {}
    for key, tensor in weights.items():
        copy = tensor.detach().clone()
        trained = isinstance(tensor, nn.Parameter)
        copies[key] = nn.Parameter(copy, copy.is_floating_point()) if trained else copy
    return copies

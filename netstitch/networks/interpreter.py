"""What to compute for some subnetworks, with nothing computed twice.

All weights are frozen, so a tensor depends only on its operation and on what that reads. Each node
of a subnetwork gets a *content key* for just that; equal keys, in one subnetwork or in different
ones, are one step of the plan.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import prod
from typing import Any

from torch import Tensor

from netstitch.files.alignment import assert_aligned
from netstitch.networks.graph import INPUT, WEIGHT, Argument, Graph, Node, Ref
from netstitch.networks.module import to_torch
from netstitch.networks.operations import resolve

Key = bytes
"""A digest of a value's operation, arguments, weights' paths, and of all that it reads."""

INPUT_KEY: Key = b"input"


@dataclass(frozen=True)
class Slot:
    """An argument that is the value of a key."""

    key: Key


@dataclass(frozen=True)
class GraphStep:
    """One operation: its content key, what it calls, and which keys it reads.

    size: bytes of its value for one sample, about.
    """

    key: Key
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    reads: tuple[Key, ...]
    size: int


@dataclass(frozen=True)
class GraphPlan:
    """Steps in an order in which they can be computed.

    outputs: for each subnetwork, (output key, content key) pairs.
    needed: keys that are read from outside the plan, because they are known.
    """

    steps: tuple[GraphStep, ...]
    outputs: tuple[tuple[tuple[str | None, Key], ...], ...]
    needed: frozenset[Key]


def content_keys(graph: Graph) -> dict[str, Key]:
    """The content key of every node but weights, by name.

    Names play no part, since two subnetworks may call different nodes the same: a key is made of
    the operation, its plain arguments, the paths of its weights, and the keys of what it reads.
    """
    keys: dict[str, Key] = {}
    texts: dict[str, str] = {}
    for node in graph.nodes:
        if node.operation == WEIGHT:
            texts[node.name] = f"weight {node.path!r}"
            continue
        if node.operation == INPUT:
            key = INPUT_KEY
        else:
            key = blake2b(text_of(node, texts).encode(), digest_size=16).digest()
        keys[node.name] = key
        texts[node.name] = f"value {key.hex()}"
    return keys


def text_of(node: Node, texts: Mapping[str, str]) -> str:
    """A node's operation and arguments, with `texts` in the place of the names that it reads."""

    def of(argument: Argument) -> str:
        if isinstance(argument, Ref):
            return texts[argument.name]
        if isinstance(argument, tuple):
            return f"({','.join(map(of, argument))})"
        return repr(argument)  # 1, 1.0 and True are told apart

    parts = [node.operation, of(node.args)]
    return " ".join([*parts, *(f"{name}={of(value)}" for name, value in node.kwargs.items())])


def make_plan(
    graphs: Sequence[Graph],
    weights: Mapping[str, Tensor],
    known: Collection[Key] = (),
    contents: Sequence[Mapping[str, Key]] | None = None,
) -> GraphPlan:
    """One plan for several subnetworks; keys in `known` are not computed again.

    weights: by path, in aligned memory. contents: of each graph what `content_keys` gives, where it
    is at hand.
    """
    steps: dict[Key, GraphStep] = {}
    outputs = []
    needed: set[Key] = set()
    for graph, keys in zip(graphs, contents or map(content_keys, graphs), strict=True):
        outputs.append(tuple((key, keys[name]) for key, name in graph.outputs))
        values: dict[str, Any] = {name: Slot(key) for name, key in keys.items()}
        own = {n.name: weights[n.path] for n in graph.nodes if n.operation == WEIGHT}
        assert_aligned(own.values(), "a plan's weights")
        values |= own
        missing = _missing(graph, keys, known)
        for node in graph.nodes:
            if node.name in missing and keys[node.name] not in steps:
                steps[keys[node.name]] = _step(node, keys, values)
        needed.update(keys[name] for _, name in graph.outputs if keys[name] in known)
    for step in steps.values():
        needed.update(key for key in step.reads if key in known)
    return GraphPlan(tuple(steps.values()), tuple(outputs), frozenset(needed))


def _step(node: Node, keys: Mapping[str, Key], values: Mapping[str, Any]) -> GraphStep:
    return GraphStep(
        key=keys[node.name],
        function=resolve(node.operation),
        args=tuple(to_torch(item, values) for item in node.args),
        kwargs={name: to_torch(item, values) for name, item in node.kwargs.items()},
        reads=tuple(dict.fromkeys(keys[name] for name in node.inputs if name in keys)),
        size=sample_bytes(node),
    )


def sample_bytes(node: Node) -> int:
    """Bytes of a node's value for one sample, at four bytes a number."""
    numbers = re.findall(r"\d+", " ".join(map(str, node.shape or ())))  # of "49*batch" too
    return 4 * prod(map(int, numbers))


def _missing(graph: Graph, keys: Mapping[str, Key], known: Collection[Key]) -> set[str]:
    """Names of the nodes to compute: the outputs and what they read, as far as it is not known."""
    missing: set[str] = set()
    wanted = {name for _, name in graph.outputs}
    for node in reversed(graph.nodes):
        if node.name in wanted and node.name in keys and keys[node.name] not in known:
            if node.operation == INPUT:
                continue
            missing.add(node.name)
            wanted.update(node.inputs)
    return missing


def peak_bytes(plan: GraphPlan) -> int:
    """The most bytes of values that `execute` holds at once, for one sample, input left out."""
    uses = _uses(plan)
    sizes = {step.key: step.size for step in plan.steps}
    results = {key for subnetwork in plan.outputs for _, key in subnetwork}
    held = peak = 0
    for step in plan.steps:
        held += step.size
        peak = max(peak, held)
        for key in step.reads:
            uses[key] -= 1
            if not uses[key] and key not in results:
                held -= sizes.get(key, 0)
    return peak


def _uses(plan: GraphPlan) -> dict[Key, int]:
    """How many steps read each key."""
    uses: dict[Key, int] = {}
    for step in plan.steps:
        for key in step.reads:
            uses[key] = uses.get(key, 0) + 1
    return uses


def execute(
    plan: GraphPlan, batch: Tensor, known: Mapping[Key, Any], kept: Collection[Key] = ()
) -> dict[Key, Any]:
    """Values of the plan's outputs, and of the keys to keep, for one batch.

    batch: in aligned memory. known: values of the plan's `needed` keys for this batch. Everything
    else is freed after its last use.
    """
    assert_aligned([batch], "a plan's batch")
    results = {key for subnetwork in plan.outputs for _, key in subnetwork} | set(kept)
    uses = _uses(plan)
    values: dict[Key, Any] = dict(known)
    values[INPUT_KEY] = batch
    for step in plan.steps:
        args = [_value(item, values) for item in step.args]
        kwargs = {name: _value(item, values) for name, item in step.kwargs.items()}
        values[step.key] = step.function(*args, **kwargs)
        del args, kwargs
        for key in step.reads:
            uses[key] -= 1
            if not uses[key] and key not in results:
                del values[key]
    return {key: values[key] for key in results}


def _value(argument: Any, values: Mapping[Key, Any]) -> Any:
    if isinstance(argument, Slot):
        return values[argument.key]
    if isinstance(argument, list):
        return [_value(item, values) for item in argument]
    return argument

"""What to compute for some subnetworks, with nothing computed twice.

All weights are frozen, so a tensor depends only on its operation and on the tensors it reads. Each
node of a subnetwork gets a *content key* for just that; equal keys, in one subnetwork or in
different ones, are one step of the plan.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from netstitch.networks.graph import INPUT, WEIGHT, Argument, Enumerated, Graph, Node, Ref
from netstitch.networks.operations import resolve

Key = int


@dataclass(frozen=True)
class Step:
    """One operation: its content key, what it calls, and which keys it reads."""

    key: Key
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    reads: tuple[Key, ...]


@dataclass(frozen=True)
class Slot:
    """An argument that is the value of a key."""

    key: Key


@dataclass(frozen=True)
class Plan:
    """Steps in an order in which they can be computed.

    input: the key of the network input.
    outputs: for each subnetwork, (output key, content key) pairs.
    needed: keys that are read from outside the plan, because they are known.
    """

    input: Key
    steps: tuple[Step, ...]
    outputs: tuple[tuple[tuple[str | None, Key], ...], ...]
    needed: frozenset[Key]


class Planner:
    """Gives content keys to nodes, the same for the same content as long as it lives."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._weights = weights
        self._keys: dict[tuple[str, tuple[Key, ...]], Key] = {}
        self._depths: dict[Key, float] = {}
        self.input: Key = self._key("input", ())

    def keys(self, graph: Graph) -> dict[str, Key]:
        """The content key of every node but weights.

        Nodes of one name are the same operation on the same weights, since subnetworks name them
        after their network; so a name and the keys it reads are the whole content.
        """
        keys: dict[str, Key] = {}
        for node in graph.nodes:
            if node.operation == INPUT:
                keys[node.name] = self.input
            elif node.operation != WEIGHT:
                reads = tuple(keys[name] for name in node.inputs if name in keys)
                key = self._key(node.name, reads)
                keys[node.name] = key
                if key not in self._depths:
                    before = max((self._depths.get(read, 0.0) for read in reads), default=0.0)
                    self._depths[key] = before + node.multiply_adds + node.elementwise
        return keys

    def work(self, key: Key) -> float:
        """Operations on the longest way from the input to a key: what losing it may cost."""
        return self._depths.get(key, 0.0)

    def plan(self, graphs: Sequence[Graph], known: Collection[Key] = ()) -> Plan:
        """One plan for several subnetworks; keys in `known` are not computed again."""
        steps: dict[Key, Step] = {}
        outputs = []
        needed: set[Key] = set()
        for graph in graphs:
            keys = self.keys(graph)
            wanted = [keys[name] for _, name in graph.outputs]
            outputs.append(tuple((key, keys[name]) for key, name in graph.outputs))
            missing = _missing(graph, keys, known)
            for node in graph.nodes:
                if node.name in missing and keys[node.name] not in steps:
                    steps[keys[node.name]] = self._step(node, keys)
            needed.update(key for key in wanted if key in known)
        for step in steps.values():
            needed.update(key for key in step.reads if key in known)
        return Plan(self.input, tuple(steps.values()), tuple(outputs), frozenset(needed))

    def _key(self, name: str, reads: tuple[Key, ...]) -> Key:
        return self._keys.setdefault((name, reads), len(self._keys))

    def _step(self, node: Node, keys: Mapping[str, Key]) -> Step:
        return Step(
            key=keys[node.name],
            function=resolve(node.operation),
            args=tuple(self._argument(item, node, keys) for item in node.args),
            kwargs={name: self._argument(item, node, keys) for name, item in node.kwargs.items()},
            reads=tuple(dict.fromkeys(keys[name] for name in node.inputs if name in keys)),
        )

    def _argument(self, argument: Argument, node: Node, keys: Mapping[str, Key]) -> Any:
        if isinstance(argument, Ref):
            if argument.name in keys:
                return Slot(keys[argument.name])
            return self._weights[argument.name]
        if isinstance(argument, tuple):
            return [self._argument(item, node, keys) for item in argument]
        if isinstance(argument, Enumerated):
            return getattr(torch, argument.value)
        return argument


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


def execute(
    plan: Plan, batch: Tensor, known: Mapping[Key, Any], kept: Collection[Key] = ()
) -> dict[Key, Any]:
    """Values of the plan's outputs, and of the keys to keep, for one batch.

    known: values of the plan's `needed` keys for this batch. Everything else is freed after its
    last use.
    """
    results = {key for subnetwork in plan.outputs for _, key in subnetwork} | set(kept)
    uses: dict[Key, int] = {}
    for step in plan.steps:
        for key in step.reads:
            uses[key] = uses.get(key, 0) + 1
    values: dict[Key, Any] = dict(known)
    values[plan.input] = batch
    for step in plan.steps:
        args = [_value(item, values) for item in step.args]
        kwargs = {name: _value(item, values) for name, item in step.kwargs.items()}
        values[step.key] = step.function(*args, **kwargs)
        del args, kwargs
        for key in step.reads:
            uses[key] -= 1
            if not uses[key] and key not in results:
                del values[key]
    return {key: values[key] for key in results if key in values}


def _value(argument: Any, values: Mapping[Key, Any]) -> Any:
    if isinstance(argument, Slot):
        return values[argument.key]
    if isinstance(argument, list):
        return [_value(item, values) for item in argument]
    return argument

"""A unit's operations made ready to be called, with its weights bound."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from netstitch.evaluation.runtime.in_place import InPlace, overwrites, takes_the_place
from netstitch.files.alignment import assert_aligned
from netstitch.networks.graph import INPUT, WEIGHT, Graph
from netstitch.networks.interpreter import sample_bytes
from netstitch.networks.module import to_torch
from netstitch.networks.operations import resolve


@dataclass(frozen=True, slots=True)
class Register:
    """An argument that is the value at a position of the list of values."""

    index: int


@dataclass(frozen=True, slots=True)
class Instruction:
    """One operation.

    args: with Register where values go. places: the (argument, register) pairs of those that are
        arguments themselves; nested: whether others stand in lists or behind keywords.
    frees: registers that nothing reads any more. overwrites: operands whose memory may be taken.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    places: tuple[tuple[int, int], ...]
    nested: bool
    frees: tuple[int, ...]
    overwrites: tuple[InPlace, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """All operations of a unit, in order.

    slots: how many values it reads. result: register of its value.
    peak: the most bytes of its own values that it holds at once, for one sample.
    """

    calls: tuple[Instruction, ...]
    slots: int
    result: int
    peak: int

    def run(self, values: list[Any], owned: int = 0) -> Any:
        """The unit's value; `values` are those it reads, and the list is used up.

        owned: bits of the values that may be overwritten, since nothing else reads them.
        """
        for call in self.calls:
            args = list(call.args)
            for argument, register in call.places:
                args[argument] = values[register]
            kwargs = call.kwargs
            if call.nested:
                args = [_filled(argument, values) for argument in args]
                kwargs = {name: _filled(value, values) for name, value in kwargs.items()}
            for way in call.overwrites:
                outside = way.register < self.slots
                if (not outside or owned >> way.register & 1) and takes_the_place(way, args):
                    if way.argument:
                        args.reverse()
                    values.append(way.function(*args))
                    break
            else:
                values.append(call.function(*args, **kwargs))
            del args, kwargs
            for register in call.frees:
                values[register] = None
        return values[self.result]


def prepare(graph: Graph, weights: Mapping[str, Tensor], *, overwriting: bool = False) -> Prepared:
    """A unit's graph as calls.

    weights: by key, in aligned memory, laid out as they are to be used. overwriting: whether
        operations may write into the memory of values that nothing reads any more.
    """
    slots = [node.name for node in graph.nodes if node.operation == INPUT]
    steps = [node for node in graph.nodes if node.operation not in (INPUT, WEIGHT)]
    registers = {name: index for index, name in enumerate(slots)}
    registers |= {node.name: len(slots) + index for index, node in enumerate(steps)}
    result = registers[graph.outputs[0][1]]
    values: dict[str, Any] = {name: Register(index) for name, index in registers.items()}
    own = {n.name: weights[n.path] for n in graph.nodes if n.operation == WEIGHT}
    assert_aligned(own.values(), "a unit's weights")
    values |= own
    last = {registers[name]: node for node in steps for name in node.inputs if name in registers}
    ways = overwrites(graph, registers) if overwriting else {}
    calls = []
    held = peak = 0
    for node in steps:
        args = tuple(to_torch(argument, values) for argument in node.args)
        kwargs = {key: to_torch(argument, values) for key, argument in node.kwargs.items()}
        places = [(i, arg.index) for i, arg in enumerate(args) if isinstance(arg, Register)]
        frees = tuple(register for register, at in last.items() if at is node)
        rest = [arg for arg in args if isinstance(arg, list)]
        calls.append(
            Instruction(
                resolve(node.operation),
                args,
                kwargs,
                tuple(places),
                _holds_registers([*rest, *kwargs.values()]),
                frees,
                ways.get(node.name, ()),
            )
        )
        held += sample_bytes(node)
        peak = max(peak, held)
        inner = [steps[register - len(slots)] for register in frees if register >= len(slots)]
        held -= sum(map(sample_bytes, inner))
    return Prepared(tuple(calls), len(slots), result, peak)


def _holds_registers(items: list[Any]) -> bool:
    return any(
        isinstance(item, Register) or (isinstance(item, list) and _holds_registers(item))
        for item in items
    )


def _filled(argument: Any, values: list[Any]) -> Any:
    if isinstance(argument, Register):
        return values[argument.index]
    if isinstance(argument, list):
        return [_filled(item, values) for item in argument]
    return argument

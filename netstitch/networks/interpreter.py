"""The interpreter of graphs, of several as one, and of fragments: instructions run in order."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import Any

from torch import Tensor

from netstitch.files.alignment import assert_aligned
from netstitch.networks.content import INPUT_KEY, sample_bytes
from netstitch.networks.graph import INPUT, WEIGHT, Graph, Ref, references
from netstitch.networks.in_place import InPlace, overwrites, takes_the_place
from netstitch.networks.module import to_torch
from netstitch.networks.operations import resolve

_resolve = cache(resolve)


@dataclass(frozen=True, slots=True)
class Register:
    """An argument that is the value of a register."""

    index: int


@dataclass(frozen=True, slots=True, eq=False)
class Instruction:
    """One operation.

    Attributes:
        function: Computes it.
        args: Positional arguments, with a Register where a value goes.
        kwargs: Keyword arguments, likewise.
        operands: The position and the register of each argument that is a Register itself.
        nested: Whether further registers stand in lists or in keyword arguments.
        frees: Registers that no later instruction reads.
        overwrites: Ways to compute it in the memory of an operand.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    operands: tuple[tuple[int, int], ...]
    nested: bool
    frees: tuple[int, ...]
    overwrites: tuple[InPlace, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Interpreter:
    """A graph made ready to run; see `make_interpreter`.

    Each value is freed after its last use.

    Attributes:
        instructions: In the order in which they are run.
        names: The node of each register; the graph's inputs come first.
        inputs: How many inputs there are.
        results: Registers of the values to return.
        peak: The most bytes of computed values held at once, for one sample.
    """

    instructions: tuple[Instruction, ...]
    names: tuple[str, ...]
    inputs: int
    results: tuple[int, ...]
    peak: int

    def run(self, values: list[Any], owned: int = 0) -> list[Any]:
        """Return the results for values of the inputs, in order; the list is used up.

        `owned` has bits of the inputs that may be overwritten, since nothing else reads them.
        """
        for instruction in self.instructions:
            args = list(instruction.args)
            for argument, register in instruction.operands:
                args[argument] = values[register]
            kwargs = instruction.kwargs
            if instruction.nested:
                args = [_filled(argument, values) for argument in args]
                kwargs = {name: _filled(value, values) for name, value in kwargs.items()}
            for way in instruction.overwrites:
                outside = way.register < self.inputs
                if (not outside or owned >> way.register & 1) and takes_the_place(way, args):
                    if way.argument:
                        args.reverse()
                    values.append(way.function(*args))
                    break
            else:
                values.append(instruction.function(*args, **kwargs))
            del args, kwargs
            for register in instruction.frees:
                values[register] = None
        return [values[register] for register in self.results]

    def compute(
        self, batch: Tensor, known: Mapping[str, object] = MappingProxyType({})
    ) -> dict[str, Any]:
        """Return the results of a `united` graph by name.

        The batch is in aligned memory; `known` has values of the other inputs by name, of which
        further ones are ignored.
        """
        assert_aligned([batch], "an interpreter's batch")
        given = {**known, INPUT_KEY: batch}
        found = self.run([given[name] for name in self.names[: self.inputs]])
        return {self.names[at]: value for at, value in zip(self.results, found, strict=True)}

    def keeping(self, names: Collection[str]) -> "Interpreter":
        """Return an interpreter that returns the values of further nodes too."""
        kept = {register for register, name in enumerate(self.names) if name in names}
        instructions = tuple(
            one if kept.isdisjoint(one.frees) else replace(one, frees=tuple(set(one.frees) - kept))
            for one in self.instructions
        )
        results = tuple(dict.fromkeys([*self.results, *sorted(kept)]))
        return replace(self, instructions=instructions, results=results)


def make_interpreter(
    graph: Graph,
    weights: Mapping[str, Tensor],
    *,
    results: Collection[str] | None = None,
    in_place: bool = False,
    functions: Mapping[str, Callable[..., Any]] = MappingProxyType({}),
) -> Interpreter:
    """Return an interpreter of all nodes of a graph.

    Args:
        graph: Its INPUT nodes are the inputs.
        weights: By key, in aligned memory.
        results: Names of the nodes to return; by default the graph's outputs.
        in_place: Whether operations may write into the memory of values that nothing reads any
            more.
        functions: What to call in the place of a node's own operation, by the node's name.
    """
    inputs = [node.name for node in graph.nodes if node.operation == INPUT]
    steps = [node for node in graph.nodes if node.operation not in (INPUT, WEIGHT)]
    registers = {name: index for index, name in enumerate([*inputs, *(n.name for n in steps)])}
    own = {node.name: weights[node.path] for node in graph.nodes if node.operation == WEIGHT}
    assert_aligned(own.values(), "an interpreter's weights")
    values = {name: Register(index) for name, index in registers.items()} | own
    names = [name for _, name in graph.outputs] if results is None else results
    returned = tuple([registers[name] for name in names])
    ways = overwrites(graph, registers) if in_place else {}
    instructions: list[Instruction] = []
    freed = set(returned)
    for node in reversed(steps):
        args = tuple([to_torch(argument, values) for argument in node.args])
        kwargs = {key: to_torch(argument, values) for key, argument in node.kwargs.items()}
        read = [(i, one.name) for i, one in enumerate(node.args) if isinstance(one, Ref)]
        operands = tuple([(i, registers[name]) for i, name in read if name in registers])
        others = [one for one in node.args if not isinstance(one, Ref)]
        nested = references((*others, *node.kwargs.values()))
        # A value that nothing reads is freed at once.
        frees = {registers[one] for one in (node.name, *node.inputs) if one in registers} - freed
        freed |= frees
        function = functions.get(node.name) or _resolve(node.operation)
        instructions.append(
            Instruction(
                function,
                args,
                kwargs,
                operands,
                any(name in registers for name in nested),
                tuple(frees),
                ways.get(node.name, ()),
            )
        )
    instructions.reverse()
    sizes = [0] * len(inputs) + [sample_bytes(node) for node in steps]
    held = peak = 0
    for size, instruction in zip(sizes[len(inputs) :], instructions, strict=True):
        held += size
        peak = max(peak, held)
        held -= sum([sizes[register] for register in instruction.frees])
    return Interpreter(tuple(instructions), tuple(registers), len(inputs), returned, peak)


def _filled(argument: Any, values: list[Any]) -> Any:
    if isinstance(argument, Register):
        return values[argument.index]
    if isinstance(argument, list):
        return [_filled(item, values) for item in argument]
    return argument

"""The interpreter of graphs: instructions that are run one after the other.

It runs captured graphs, subnetworks, several of these as one (`united`), and the fragments that
evaluations put subnetworks together from.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from torch import Tensor

from netstitch.files.alignment import assert_aligned
from netstitch.networks.content import INPUT_KEY, sample_bytes
from netstitch.networks.graph import INPUT, WEIGHT, Graph
from netstitch.networks.in_place import InPlace, overwrites, takes_the_place
from netstitch.networks.module import to_torch
from netstitch.networks.operations import resolve


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
        """Return the results.

        Args:
            values: Of the inputs, in order; the list is used up.
            owned: Bits of the inputs that may be overwritten, since nothing else reads them.
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
        self, batch: Tensor, known: Mapping[str, Any] = MappingProxyType({})
    ) -> dict[str, Any]:
        """Return the results of a `united` graph by name.

        Args:
            batch: The networks' input, in aligned memory.
            known: Values of the other inputs by name; further ones are ignored.
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
    overwriting: bool = False,
    functions: Mapping[str, Callable[..., Any]] = MappingProxyType({}),
) -> Interpreter:
    """Return an interpreter of all nodes of a graph.

    Args:
        graph: Its INPUT nodes are the inputs.
        weights: By key, in aligned memory.
        results: Names of the nodes to return; by default the graph's outputs.
        overwriting: Whether operations may write into the memory of values that nothing reads any
            more.
        functions: What to call in the place of a node's own operation, by the node's name.
    """
    returned = dict.fromkeys([name for _, name in graph.outputs] if results is None else results)
    inputs = [node.name for node in graph.nodes if node.operation == INPUT]
    steps = [node for node in graph.nodes if node.operation not in (INPUT, WEIGHT)]
    sizes = {node.name: sample_bytes(node) for node in steps}
    registers = {name: index for index, name in enumerate([*inputs, *sizes])}
    own = {node.name: weights[node.path] for node in graph.nodes if node.operation == WEIGHT}
    assert_aligned(own.values(), "an interpreter's weights")
    values = {name: Register(index) for name, index in registers.items()} | own
    frees = _last_uses(graph, returned)
    ways = overwrites(graph, registers) if overwriting else {}
    instructions = []
    held = peak = 0
    for node in steps:
        args = tuple(to_torch(argument, values) for argument in node.args)
        kwargs = {key: to_torch(argument, values) for key, argument in node.kwargs.items()}
        freed = frees.get(node.name, ())
        instructions.append(
            Instruction(
                functions.get(node.name) or resolve(node.operation),
                args,
                kwargs,
                tuple((i, arg.index) for i, arg in enumerate(args) if isinstance(arg, Register)),
                _holds_registers([*(arg for arg in args if type(arg) is list), *kwargs.values()]),
                tuple(registers[name] for name in freed),
                ways.get(node.name, ()),
            )
        )
        held += sizes[node.name]
        peak = max(peak, held)
        held -= sum(sizes.get(name, 0) for name in freed)
    ends = tuple(registers[name] for name in returned)
    return Interpreter(tuple(instructions), tuple(registers), len(inputs), ends, peak)


def _last_uses(graph: Graph, returned: Collection[str]) -> dict[str, list[str]]:
    """Return, by node, the values that no later node reads, and that are not returned."""
    last: dict[str, str] = {}
    for node in graph.nodes:
        if node.operation == WEIGHT:
            continue
        if node.operation != INPUT:
            last[node.name] = node.name  # where nothing reads it
        last |= dict.fromkeys(node.inputs, node.name)
    frees: dict[str, list[str]] = {}
    for name, reader in last.items():
        if name not in returned and graph.by_name[name].operation != WEIGHT:
            frees.setdefault(reader, []).append(name)
    return frees


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

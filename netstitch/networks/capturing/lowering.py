"""From an exported program to a graph: listed operations only, independent of device and layout.

Operations get one form (`canonical.py`), sizes come from the input's batch, device arguments and
assertions go, and what depends on weights alone is computed once (`constants.py`).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import sympy  # type: ignore[import-untyped]
import torch
from torch import Tensor, fx
from torch._ops import OpOverload
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, InputSpec

from netstitch.errors import CaptureError
from netstitch.networks.capturing.canonical import BATCH_NORM, OperatorCall, canonical, is_random
from netstitch.networks.capturing.constants import Constants
from netstitch.networks.capturing.diagnostics import last_users_line
from netstitch.networks.capturing.exportable import inner_path, plain_path
from netstitch.networks.capturing.exported_outputs import find_outputs
from netstitch.networks.content import renamed
from netstitch.networks.counting import elementwise, multiply_adds
from netstitch.networks.graph import (
    BATCH,
    INPUT,
    WEIGHT,
    Argument,
    Dimension,
    Enumerated,
    Graph,
    Node,
    Ref,
    references,
)
from netstitch.networks.keys import readable_names
from netstitch.networks.module import ancestors
from netstitch.networks.operations import ENUMERATIONS, KINDS, name_of
from netstitch.networks.points import find_points

_DROPPED = ("_assert", "sym_constrain_range", "_assert_tensor_metadata", "_guards_fn")


def translate(program: ExportedProgram) -> tuple[Graph, dict[str, Tensor]]:
    """Return the graph of an exported program, and its weights by key.

    Raises:
        CaptureError: for an operation that is not listed, and for several inputs.
    """
    return _Translation(program).result()


class _Translation:
    """One walk over the exported nodes; holds what has been translated so far."""

    def __init__(self, program: ExportedProgram) -> None:
        self.program = program
        self.nodes: dict[str, Node] = {}
        self.replaced: dict[str, str] = {}  # names of exported nodes that others stand for
        self.sizes: dict[str, tuple[int, ...]] = {}  # at batch 1
        self.constants = Constants()
        self.placed: dict[object, str] = {}
        self.symbol: sympy.Symbol | None = None
        self.input = ""

    def result(self) -> tuple[Graph, dict[str, Tensor]]:
        specs = {spec.arg.name: spec for spec in self.program.graph_signature.input_specs}
        for node in self.program.graph.nodes:
            if node.op == "placeholder":
                self._placeholder(node, specs[node.name])
            elif node.op == "call_function":
                self._call(node)
        outputs = find_outputs(self.program, self.nodes, self.replaced)
        every = tuple(self.nodes.values())
        kept = ancestors(Graph(every, outputs), [name for _, name in outputs]) | {self.input}
        nodes, weights = [], {}
        for node in every:
            if node.name in kept and node.operation == WEIGHT:
                key = self.constants.make_key(node.name)
                weights[key] = self.constants.weight(node.name)
                nodes.append(replace(node, path=key))
            elif node.name in kept:
                nodes.append(node)
        points, names = find_points(nodes), readable_names(nodes)
        drawn = []
        for node in nodes:
            own = renamed(node, names[node.name], names)
            if node.name in points:
                own = replace(own, point=True, channels=points[node.name])
            drawn.append(own)
        return Graph(tuple(drawn), tuple((key, names[name]) for key, name in outputs)), weights

    # -- inputs and weights

    def _placeholder(self, node: fx.Node, spec: InputSpec) -> None:
        if spec.kind is InputKind.USER_INPUT:
            value = node.meta["val"]
            if self.input or not isinstance(value, Tensor):
                raise CaptureError(
                    "it takes more than one input; expected a model of one tensor: wrap it in a "
                    "module that fixes the others"
                )
            self.input = node.name
            self.symbol = value.shape[0].node.expr  # type: ignore[attr-defined]
            self._add(node, OperatorCall(INPUT, (), {}, value))
            return
        state = self.program.state_dict
        assert spec.target is not None  # all that are no inputs of the model name what they are
        stored: Mapping[str, Any] = state if spec.target in state else self.program.constants
        tensor: Tensor = stored[spec.target]
        # Two names for one tensor: keep the first. Strides matter: one may be a transposed view.
        same = (tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride())
        if tensor.numel() and same in self.placed:
            self.replaced[node.name] = self.placed[same]
            return
        self.placed[same] = node.name
        lifted = spec.kind is InputKind.CONSTANT_TENSOR
        path = f"constants.{node.name}" if lifted else plain_path(inner_path(spec.target))
        trained = spec.kind is InputKind.PARAMETER
        self.constants.add(node.name, path, tensor, trained=trained)
        self._weight(node.name, tensor)

    def _weight(self, name: str, tensor: Tensor) -> None:
        """Add a constant's node; one that nothing reads in the end is left out again."""
        shape = tuple(tensor.shape)
        self.sizes[name] = shape
        dtype = str(tensor.dtype).removeprefix("torch.")
        self.nodes[name] = Node(name, WEIGHT, shape=shape, dtype=dtype)

    # -- operations

    def _call(self, node: fx.Node) -> None:
        name = name_of(node.target)
        if any(part in name for part in _DROPPED):
            return
        if name not in KINDS and not isinstance(node.target, OpOverload):
            raise self._refused(node, f"operation {name} is not supported")
        source = node.args[0] if node.args else None
        if (
            name == "getitem"
            and isinstance(source, fx.Node)
            and name_of(source.target) == BATCH_NORM
        ):
            self.replaced[node.name] = self.replaced.get(source.name, source.name)
            return
        kwargs = {
            key: self._argument(item)
            for key, item in node.kwargs.items()
            if key not in ("device", "layout", "pin_memory")
        }
        args = tuple(self._argument(item) for item in node.args)
        call = OperatorCall(name, args, kwargs, node.meta.get("val"))
        if self._is_constant(node, call):
            return
        if name == "aten.sym_size.int":  # every size follows the input's batch: read it there
            size = self._count(node, node.meta["val"])
            if isinstance(size, Ref):
                self.replaced[node.name] = size.name
            else:
                self.constants.remember(node.name, size)
            return
        if is_random(node, name):
            raise CaptureError(
                f"it draws random numbers in evaluation mode (operation {name}{_used_at(node)}); "
                "expected a model whose output follows from its input"
            )
        call = canonical(call, self.input, lambda size: self._count(node, size))
        if call.operation not in KINDS:
            raise self._refused(node, f"operation {name} is not supported")
        self._add(node, call)

    def _refused(self, node: fx.Node, reason: str) -> CaptureError:
        return CaptureError(f"{reason}{_used_at(node)}; {_way_out(node)}")

    def _is_constant(self, node: fx.Node, call: OperatorCall) -> bool:
        """Compute what follows from weights alone; return whether the network then need not."""
        function: Any = node.target
        changes = isinstance(function, OpOverload) and function._schema.is_mutable
        if changes or is_random(node, call.operation) or not self.constants.follows(call):
            return False
        first = self.constants.computed_before(call, node.name)
        if first != node.name:
            self.replaced[node.name] = first
            return True
        value = self.constants.compute(node.name, function, call)
        can_stay = call.operation in KINDS and self.nodes.keys() >= set(call.read)
        if can_stay and self.constants.stays(value):
            return False
        if isinstance(value, Tensor):
            self._weight(node.name, value)
        return True  # a number is an argument; the parts of a tuple are folded themselves

    def _add(self, node: fx.Node, call: OperatorCall) -> None:
        made = Node(node.name, call.operation, call.args, call.kwargs, path=_module_path(node))
        if isinstance(call.value, Tensor):
            made = replace(
                made,
                shape=tuple(self._dimension(node, size) for size in call.value.shape),
                dtype=str(call.value.dtype).removeprefix("torch."),
            )
            self.sizes[node.name] = tuple(
                size if isinstance(size, int) else int(size.node.expr.subs(self.symbol, 1))
                for size in call.value.shape
            )
        if call.operation in KINDS:
            output = self.sizes.get(node.name, ())
            equation = str(call.args[0]) if call.operation == "aten.einsum.default" else ""
            # With repeats, since a matrix may be multiplied by itself.
            read = [self.sizes[name] for name in references(call.args) if name in self.sizes]
            made = replace(
                made,
                multiply_adds=multiply_adds(call.operation, output, read, equation),
                elementwise=elementwise(call.operation, output, read) if made.shape else 0,
            )
        self.nodes[node.name] = made

    # -- sizes

    def _count(self, node: fx.Node, size: int | torch.SymInt) -> int | Ref:
        """Return a size as an argument: a number, or a node that reads the input's batch."""
        if isinstance(size, int):
            return size
        assert self.symbol is not None  # sizes are computed from the input's
        polynomial = self._expression(node, size).as_poly(self.symbol)
        if polynomial is None or polynomial.degree() > 1:
            raise self._refused(node, f"a size of {size} is not supported")
        factor, summand = (int(polynomial.coeff_monomial(self.symbol**i)) for i in (1, 0))
        count = self._counted(1, 0, "aten.sym_size.int", (Ref(self.input), 0))
        if factor != 1:
            count = self._counted(factor, 0, "int.mul", (count, factor))
        if summand:
            count = self._counted(factor, summand, "int.add", (count, summand))
        return count

    def _counted(
        self, factor: int, summand: int, operation: str, args: tuple[Argument, ...]
    ) -> Ref:
        name = f"size {factor} {summand}"  # no exported node has a space in its name
        self.nodes.setdefault(name, Node(name, operation, args))
        return Ref(name)

    def _expression(self, node: fx.Node, size: torch.SymInt) -> sympy.Expr:
        expression = size.node.expr
        if expression.free_symbols - {self.symbol}:
            raise CaptureError(
                f"a size depends on the data (operation {name_of(node.target)}"
                f"{_used_at(node)}); expected sizes that follow from the input's"
            )
        return expression

    def _dimension(self, node: fx.Node, size: int | torch.SymInt) -> Dimension:
        if isinstance(size, int):
            return size
        expression = self._expression(node, size).subs(self.symbol, sympy.Symbol(BATCH))
        return int(expression) if expression.is_Integer else str(expression)

    def _argument(self, value: object) -> Argument:
        if isinstance(value, fx.Node):
            name = self.replaced.get(value.name, value.name)
            known = self.constants.number(name)
            return Ref(name) if known is None else known
        if isinstance(value, list | tuple):
            return tuple(self._argument(item) for item in value)
        if value is None or isinstance(value, bool | int | float | str):
            return value
        for kind, enumeration in ENUMERATIONS.items():
            if isinstance(value, enumeration):
                return Enumerated(kind, str(value).removeprefix("torch."))
        if isinstance(value, torch.device):
            return None
        raise CaptureError(
            f"an argument of type {type(value).__name__} cannot be captured; "
            "expected tensors, numbers, lists, dtypes"
        )


def _way_out(node: fx.Node) -> str:
    name = name_of(node.target)
    if "quantize" in name or name.startswith("quantized"):
        return "it is quantised: give the model in float32, and quantise what is exported instead"
    if name.startswith(("aten.lstm_cell", "aten.gru_cell", "aten.rnn_")):
        return (
            "recurrent cells cannot be captured; use the layer in place of a loop (nn.LSTM with "
            "batch_first=True), of which no tensor can be stitched, or give a network of "
            "convolutions or linear layers"
        )
    return "replace it in the model, or ask for it to be listed"


def _used_at(node: fx.Node) -> str:
    line = last_users_line(node.meta.get("stack_trace") or "")
    return f", used at {line}" if line else ""


def _module_path(node: fx.Node) -> str:
    stack = node.meta.get("nn_module_stack") or {}
    path = str(list(stack.values())[-1][0]) if stack else ""
    return "" if path.startswith("_empty_nn_module_stack") else inner_path(path)

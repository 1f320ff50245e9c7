"""Counting of multiply-adds and parameters, from shapes at batch 1.

`torch.utils.flop_counter` counts two operations a multiply-add, and misses fused attention on a
CPU; the tests compare with it elsewhere.
"""

from collections.abc import Mapping, Sequence
from math import prod

from torch import Tensor, nn

from netstitch.networks.graph import Graph
from netstitch.networks.module import ancestors
from netstitch.networks.operations import KINDS, Kind

Shape = Sequence[int]

_COMPUTES = (Kind.ELEMENTWISE, Kind.NORM, Kind.POOLING, Kind.REDUCTION, Kind.OTHER)


def multiply_adds(
    operation: str, output: Shape, inputs: Sequence[Shape], equation: str = ""
) -> int:
    """Return the multiply-adds of an operation; 0 for kinds that do not multiply matrices.

    Biases are not counted. All shapes are at batch 1; those of the tensor arguments stand in order
    (the weight of a convolution or linear map is the second). The equation is an Einstein sum's.
    """
    kind = KINDS[operation]
    if kind is Kind.CONVOLUTION:
        weight = inputs[1]
        if "transpose" in operation:  # weight (in, out / groups, *kernel): work follows the input
            return prod(inputs[0]) * prod(weight[1:])
        return prod(output) * prod(weight[1:])
    if operation == "aten.einsum.default":
        return _einstein_sum(equation, output, inputs)
    if kind is Kind.LINEAR or kind is Kind.MATRIX_PRODUCT:
        # The first factor of a sum such as addmm(bias, x, w) is the second argument.
        summed = any(word in operation for word in (".addmm.", ".baddbmm.", ".addmv."))
        return prod(output) * inputs[1 if summed else 0][-1]
    if kind is Kind.ATTENTION:
        query, key, value = inputs[:3]
        scores = prod(query[:-1]) * key[-2]
        return scores * query[-1] + scores * value[-1]
    if kind is Kind.RECURRENT:  # every step multiplies by every matrix: (steps, batch, features)
        return prod(inputs[0][:-1]) * sum(prod(shape) for shape in inputs[1:] if len(shape) == 2)
    return 0


def _einstein_sum(equation: str, output: Shape, inputs: Sequence[Shape]) -> int:
    """Return one multiply-add per combination of indices and further operand."""
    left, _, right = equation.replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    for term, shape in zip(left.split(","), inputs, strict=True):
        before, dots, after = term.partition("...")
        named = [*zip(before, shape, strict=False)]
        if dots and after:
            named += zip(after, shape[-len(after) :], strict=True)
        for name, size in named:
            sizes[name] = max(size, sizes.get(name, 1))
    named_output = prod(sizes[name] for name in right.replace("...", ""))
    rest = prod(output) // named_output if "..." in right and named_output else 1
    return prod(sizes.values()) * rest * max(len(inputs) - 1, 0)


def elementwise(operation: str, output: Shape, inputs: Sequence[Shape]) -> int:
    """Return the elements that activations, norms, pooling and sums touch; otherwise 0."""
    touched = max(map(prod, (output, *inputs)))
    return touched if KINDS[operation] in _COMPUTES else 0


def count_parameters(weights: Mapping[str, Tensor]) -> int:
    """Return the number of elements of the parameters among tensors; buffers do not count."""
    return sum(t.numel() for t in weights.values() if isinstance(t, nn.Parameter))


def share_before(graph: Graph, name: str) -> float:
    """Return the share of a graph's multiply-adds that computing a node takes, itself included.

    Between 0 and 1; 0 everywhere in a graph without multiply-adds.
    """
    needed = ancestors(graph, [name])
    part = sum(node.multiply_adds for node in graph.nodes if node.name in needed)
    return part / max(1, graph.multiply_adds)


def spans(graph: Graph) -> dict[str, tuple[float, float]]:
    """Return the shares of multiply-adds before and behind each node, in their order."""
    total, before, found = max(1, graph.multiply_adds), 0, {}
    for node in graph.nodes:
        found[node.name] = before / total, (before + node.multiply_adds) / total
        before += node.multiply_adds
    return found

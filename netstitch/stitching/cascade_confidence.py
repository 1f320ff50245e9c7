"""The confidence of an answer, as nodes of a graph."""

import math

from netstitch.networks.graph import Argument, Dimension, Node, Ref
from netstitch.stitching.cascade import Confidence
from netstitch.stitching.subgraph import NodeList

SMALLEST = 1e-30
"""Smaller probabilities count as this one, so that their logarithms are finite."""


class NodeWriter:
    """Writes operations on tensors of one type into a graph, named after what they are for."""

    def __init__(self, nodes: NodeList, stem: str, dtype: str | None) -> None:
        self._nodes, self._stem, self._dtype = nodes, stem, dtype

    def __call__(
        self,
        operation: str,
        *args: Argument | Node,
        shape: tuple[Dimension, ...] | None,
        dtype: str | None = None,
    ) -> Node:
        """Add an operation such as "add.Tensor"; arguments that are nodes are read."""
        found = tuple(Ref(one.name) if isinstance(one, Node) else one for one in args)
        name, full = (
            (f"{self._stem}_getitem", operation)
            if operation == "getitem"
            else (f"{self._stem}_{operation.partition('.')[0]}", f"aten.{operation}")
        )
        kind = None if shape is None else dtype or self._dtype
        node = Node(name, full, found, shape=shape, dtype=kind, path="cascade")
        return self._nodes.by_name[self._nodes.append(node)]


def add_probabilities(write: NodeWriter, answer: Node, probabilities: bool) -> Node:
    """Add the probabilities of an answer (batch, classes, ...), logits unless it holds them."""
    logits = answer
    if probabilities:
        least = write("clamp_min.default", answer, SMALLEST, shape=answer.shape)
        logits = write("log.default", least, shape=answer.shape)
    return write("softmax.int", logits, 1, shape=answer.shape)


def add_confidence(
    write: NodeWriter, kind: Confidence, probabilities: Node, before: Node | None
) -> Node:
    """Add the confidence (batch,) of probabilities (batch, classes, ...), of maps the mean.

    `before` holds those of the output computed before, for "agreement".
    """
    batch, classes, *places = probabilities.shape or ()
    assert isinstance(classes, int)
    each = (batch, *places)
    if kind == "agreement":
        assert before is not None
        product = write("mul.Tensor", probabilities, before, shape=probabilities.shape)
        sure = write("sum.dim_IntList", product, (1,), shape=each)
    elif kind == "margin":
        two = write("topk.default", probabilities, 2, 1, shape=None)
        highest = write("getitem", two, 0, shape=(batch, 2, *places))
        first, second = (write("select.int", highest, 1, at, shape=each) for at in (0, 1))
        sure = write("sub.Tensor", first, second, shape=each)
    elif kind == "entropy":
        least = write("clamp_min.default", probabilities, SMALLEST, shape=probabilities.shape)
        nats = write("log.default", least, shape=probabilities.shape)
        product = write("mul.Tensor", probabilities, nats, shape=probabilities.shape)
        total = write("sum.dim_IntList", product, (1,), shape=each)
        share = write("div.Tensor", total, math.log(classes), shape=each)
        rest = write("add.Tensor", share, 1.0, shape=each)
        sure = write("clamp.default", rest, 0.0, 1.0, shape=each)
    else:
        sure = write("amax.default", probabilities, (1,), shape=each)
    if places:
        axes = tuple(range(1, len(each)))
        sure = write("mean.dim", sure, axes, shape=(batch,))
    return sure

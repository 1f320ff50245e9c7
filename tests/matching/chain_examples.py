"""For tests of matching: small random networks with affine chains."""

import torch
from hypothesis import strategies as st

from netstitch.networks import Network
from netstitch.networks.graph import BATCH, INPUT, WEIGHT, Graph, Node, Ref

WIDTH = 3
MAP, CELL, FLAT = (WIDTH, 4, 4), (WIDTH, 1, 1), (WIDTH,)

ANYWHERE = ("sin", "add", "shift", "scale", "plus", "times", "minus", "over", "under", "clone")
"""Operations on a tensor of any layout."""

SPATIAL = ("conv", "norm", "slope", "pool")


class Builder:
    """Nodes and weights of a network, step by step; every step is a point."""

    def __init__(self, seed=0):
        self.nodes = [Node("x", INPUT, shape=(BATCH, *MAP), dtype="float32")]
        self.weights = {}
        self.generator = torch.Generator().manual_seed(seed)

    def weight(self, *shape):
        path = f"w{len(self.weights)}"
        # Away from 0, so that scales can be undone.
        values = torch.rand(shape, generator=self.generator) + 0.5
        signs = torch.randint(0, 2, shape, generator=self.generator) * 2 - 1
        self.weights[path] = values * signs
        self.nodes.append(Node(path, WEIGHT, shape=shape, path=path))
        return Ref(path)

    def step(self, operation, args, shape, multiply_adds=0, **kwargs):
        name = f"n{len(self.nodes)}"
        self.nodes.append(
            Node(
                name,
                f"aten.{operation}",
                tuple(args),
                kwargs,
                shape=(BATCH, *shape),
                dtype="float32",
                multiply_adds=multiply_adds,
                point=True,
            )
        )
        return name

    def shape(self, name):
        return next(node.shape[1:] for node in self.nodes if node.name == name)

    def apply(self, kind, name, other=None):
        """One more step that reads `name`; `other` is a second operand of an addition."""
        x, shape = Ref(name), self.shape(name)
        each = (WIDTH, *[1] * (len(shape) - 1))
        if kind == "sin":
            return self.step("sin.default", (x,), shape)
        if kind == "add":
            return self.step("add.Tensor", (x, Ref(other or name)), shape)
        if kind == "shift":
            return self.step("add.Tensor", (x, self.weight(1, *each)), shape, alpha=2)
        if kind == "scale":
            return self.step("mul.Tensor", (self.weight(*each), x), shape)
        if kind == "plus":
            return self.step("add.Tensor", (x, 0.25), shape)
        if kind == "times":
            return self.step("mul.Tensor", (x, -1.5), shape)
        if kind == "minus":
            return self.step("rsub.Scalar", (x, 2.0), shape)
        if kind == "over":
            return self.step("div.Tensor", (x, self.weight(*each)), shape)
        if kind == "under":
            return self.step("div.Tensor", (self.weight(*each), x), shape)
        if kind == "clone":
            return self.step("clone.default", (x,), shape)
        if kind == "slope":  # another scale at each position
            return self.step("mul.Tensor", (x, self.weight(*shape)), shape)
        if kind == "conv":
            args = (x, self.weight(WIDTH, WIDTH, 3, 3), None, (1, 1), (1, 1))
            cells = shape[1] * shape[2]
            return self.step("conv2d.default", args, shape, 9 * WIDTH * WIDTH * cells)
        if kind == "norm":
            weight, bias, mean = (self.weight(WIDTH) for _ in range(3))
            variance = self.weight(WIDTH)
            self.weights[variance.name] = self.weights[variance.name].abs()
            args = (x, weight, bias, mean, variance, False, 0.1, 1e-5, True)
            return self.step("batch_norm.default", args, shape)
        if kind == "pool":  # a map becomes a cell, a cell stays what it is
            return self.step("adaptive_avg_pool2d.default", (x, (1, 1)), CELL)
        if kind == "flatten":
            return self.step("reshape.default", (x, (-1, WIDTH)), FLAT)
        if kind == "unflatten":
            return self.step("reshape.default", (x, (-1, *CELL)), CELL)
        raise ValueError(kind)

    def network(self, outputs, name="network"):
        keys = [None] if len(outputs) == 1 else list(map(str, range(len(outputs))))
        graph = Graph(tuple(self.nodes), tuple(zip(keys, outputs, strict=True)))
        return Network(name, graph, self.weights)


def line(*kinds, name="network"):
    """A network of one step after the other, and the names of these."""
    builder, names = Builder(), ["x"]
    for kind in kinds:
        names.append(builder.apply(kind, names[-1]))
    return builder.network(names[-1:], name), names[1:]


@st.composite
def random_networks(draw, most=8, name="network"):
    """A network of at most `most` steps, each reading earlier ones; its last step is the output."""
    builder, names = Builder(draw(st.integers(0, 99))), ["x"]
    for _ in range(draw(st.integers(1, most))):
        # The latest tensors are read more often, so that chains are not rare.
        source = names[-1] if draw(st.booleans()) else draw(st.sampled_from(names))
        shape = builder.shape(source)
        kinds = list(ANYWHERE) + (list(SPATIAL) if len(shape) == 3 else ["unflatten"])
        if shape == CELL:
            kinds.append("flatten")
        kind = draw(st.sampled_from(kinds))
        alike = [other for other in names if builder.shape(other) == shape]
        names.append(builder.apply(kind, source, draw(st.sampled_from(alike))))
    return builder.network(names[-1:], name)

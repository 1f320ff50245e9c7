"""Random supernets whose networks have all that units are cut by and fusing looks for.

Networks are graphs by hand, so that thousands of them cost little. All images are (b, 3, 4, 4).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from small_supernets import as_they_are
from torch import Tensor

from netstitch.matching.matches import Match, Matching
from netstitch.networks.graph import BATCH, INPUT, WEIGHT, Graph, Node, Ref
from netstitch.networks.network import Network
from netstitch.stitching.subgraph import Averaging
from netstitch.supernet.supernet import Supernet

SIZE, CLASSES = 4, 5
KINDS = ("conv", "conv", "norm", "norm", "act", "act", "sum", "gate", "view")
ACTIVATIONS = ("relu.default", "hardswish.default", "silu.default", "tanh.default")


class Drawing:
    """Nodes and weights of a random network as it is drawn.

    twins: whether an operation may be there twice with the same operands.
    """

    def __init__(self, seed: int, twins: bool) -> None:
        self.random = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.nodes = [Node("input", INPUT, shape=(BATCH, 3, SIZE, SIZE), dtype="float32")]
        self.weights: dict[str, Tensor] = {}
        self.channels = {"input": 3}
        self.used: set[tuple[Any, ...]] = set()
        self.doubled: dict[tuple[int, ...], Ref] = {}
        self.twins = twins

    def weight(self, key: str, *shape: int, low: float = -1.0, high: float = 1.0) -> Ref:
        drawn = torch.rand(shape, generator=self.generator)
        self.weights[key] = low + (high - low) * drawn
        name = key.replace(".", "_")
        self.nodes.append(Node(name, WEIGHT, shape=shape, dtype="float32", path=key))
        return Ref(name)

    def add(
        self, name: str, operation: str, *args: Any, channels: int, size: int = SIZE,
        cost: int = 0, point: bool = True,
    ) -> None:  # fmt: skip
        shape = (BATCH, channels, size, size)
        self.nodes.append(
            Node(
                name, f"aten.{operation}", args, shape=shape, dtype="float32", path=name,
                multiply_adds=cost, elementwise=channels * size, point=point,
            )
        )  # fmt: skip
        if size == SIZE:
            self.channels[name] = channels

    def step(self, name: str) -> None:
        """One more random operation on recent values."""
        source = str(self.random.choice([n for n in self.channels if n != "input"][-3:]))
        width = self.channels[source]
        partners = [n for n in self.channels if self.channels[n] == width and n != "input"]
        partner = str(self.random.choice(partners))
        kind = str(self.random.choice(KINDS))
        activation = str(self.random.choice(ACTIVATIONS))
        content = (kind, source, partner if kind == "sum" else "", activation)
        if kind in ("act", "sum", "gate", "view") and content in self.used and not self.twins:
            kind = "conv"
        self.used.add(content)
        if kind == "conv":
            self.conv(name, source, width)
        elif kind == "norm":
            bounds = {"gain": (0.5, 1.5), "shift": (-1, 1), "mean": (-1, 1), "var": (0.5, 1.5)}
            parts = [
                self.weight(f"{name}.{part}", width, low=low, high=high)
                for part, (low, high) in bounds.items()
            ]
            args = (Ref(source), *parts, False, 0.1, 1e-5, True)
            self.add(name, "batch_norm.default", *args, channels=width)
        elif kind == "act":
            self.add(name, activation, Ref(source), channels=width)
        elif kind == "sum":
            self.add(name, "add.Tensor", Ref(source), Ref(partner), channels=width)
        elif kind == "gate":
            self.add(
                f"{name}_mean", "mean.dim", Ref(source), (2, 3), True,
                channels=width, size=1, point=False,
            )  # fmt: skip
            read = Ref(f"{name}_mean")
            self.add(f"{name}_gate", "sigmoid.default", read, channels=width, size=1, point=False)
            gate = Ref(f"{name}_gate")
            self.add(name, "mul.Tensor", Ref(source), gate, channels=width)
        else:
            self.add(name, "alias.default", Ref(source), channels=width)

    def conv(self, name: str, source: str, before: int) -> None:
        separable = self.random.random() < 0.3 and before > 1
        after = before if separable else int(self.random.integers(2, 5))
        kernel = int(self.random.choice([1, 3]))
        inner = 1 if separable else before
        scale = 1 / (inner * kernel * kernel) ** 0.5
        shape = (after, inner, kernel, kernel)
        weight = self.weight(f"{name}.weight", *shape, low=-scale, high=scale)
        if self.random.random() < 0.3:  # computed from weights, for one or for several
            if shape not in self.doubled or self.random.random() < 0.5:
                self.doubled[shape] = Ref(f"{name}_doubled")
                self.nodes.append(
                    Node(f"{name}_doubled", "aten.mul.Tensor", (weight, 2.0), {}, shape, "float32")
                )
            weight = self.doubled[shape]
        bias = self.weight(f"{name}.bias", after) if self.random.random() < 0.5 else None
        padding = (kernel // 2, kernel // 2)
        groups = before if separable else 1
        call = (Ref(source), weight, bias, (1, 1), padding, (1, 1), groups)
        cost = after * inner * kernel * kernel * SIZE * SIZE
        self.add(name, "conv2d.default", *call, channels=after, cost=cost)


def random_network(
    seed: int,
    name: str,
    *,
    steps: int = 9,
    twins: bool = True,
    heads: Sequence[str | None] = (None,),
) -> Network:
    """Random steps on normalised images, pooling, and a linear head for each output key."""
    drawing = Drawing(seed, twins)
    width = 3
    drawing.add("centred", "sub.Tensor", Ref("input"), 0.5, channels=width, point=False)
    drawing.add("scaled", "div.Tensor", Ref("centred"), 0.25, channels=width, point=False)
    del drawing.channels["centred"]
    for step in range(steps):
        drawing.step(f"s{step}")
    last = f"s{steps - 1}"
    width = drawing.channels[last]
    pooled = Node(
        "pool", "aten.mean.dim", (Ref(last), (2, 3)), {}, (BATCH, width), "float32", "pool",
        elementwise=3, point=True,
    )  # fmt: skip
    drawing.nodes.append(pooled)
    outputs = []
    for head in heads:
        label = head or "head"
        weight = drawing.weight(f"{label}.weight", CLASSES, width)
        args = (Ref("pool"), weight)
        drawing.nodes.append(
            Node(
                label, "aten.linear.default", args, {}, (BATCH, CLASSES), "float32", label,
                multiply_adds=CLASSES * width, point=True,
            )
        )  # fmt: skip
        outputs.append((head, label))
    return Network(name, Graph(tuple(drawing.nodes), tuple(outputs)), drawing.weights)


def random_supernet(
    seed: int, count: int = 2, *, twins: bool = True, most: int = 7,
    heads: Sequence[str | None] = (None,), averaging: Averaging | None = None,
) -> Supernet:  # fmt: skip
    """Random networks, joined at random points in the order of both; stitches are random too."""
    random = np.random.default_rng(seed)
    networks = [
        random_network(seed + index, f"net{index}", twins=twins, heads=heads)
        for index in range(count)
    ]
    names = [[p.name for p in n.graph.points if p.name.startswith("s")] for n in networks]
    joined = int(random.integers(0, min(most, *map(len, names)) + 1))
    chosen = [sorted(random.choice(len(row), joined, replace=False)) for row in names]
    rows = [
        tuple(row[places[index]] for row, places in zip(names, chosen, strict=True))
        for index in range(joined)
    ]
    if random.random() < 0.5:
        rows.append(("pool",) * count)
    torch.manual_seed(seed % 2**31)
    matching = Matching(tuple(map(Match, rows)), len(rows), len(rows), "by hand")
    return as_they_are(Supernet(networks, matching, averaging=averaging))


def images(count: int = 3) -> Tensor:
    return torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(count))


seeds = st.integers(0, 2**32 - 1)


def random_genotype(supernet: Supernet, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.random.default_rng(seed).integers(0, supernet.cardinalities).astype(np.int64)

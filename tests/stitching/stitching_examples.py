"""Random small networks, matchings of them, and a slow, obvious interpreter of subnetworks.

Networks are graphs by hand, so that thousands of them cost little. All images are (b, 3, 4, 4).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from netstitch.matching.matches import Match, Matching
from netstitch.networks.graph import BATCH, INPUT, WEIGHT, Graph, Node, Ref
from netstitch.networks.network import Network
from netstitch.stitching import Averaging, FeatureRef, Switchboard

SIZE = 4
CLASSES = 5


class Drawing:
    """Nodes and weights of a network as it is drawn."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.generator = torch.Generator().manual_seed(seed)
        self.nodes = [Node("input", INPUT, shape=(BATCH, 3, SIZE, SIZE), dtype="float32")]
        self.weights: dict[str, Tensor] = {}

    def weight(self, key: str, *shape: int) -> Ref:
        tensor = torch.randn(shape, generator=self.generator) / shape[-1 if len(shape) < 3 else 1]
        self.weights[key] = nn.Parameter(tensor, requires_grad=False)
        name = key.replace(".", "_")
        self.nodes.append(Node(name, WEIGHT, shape=shape, dtype="float32", path=key))
        return Ref(name)

    def add(self, name: str, operation: str, *args: Any, shape: Any, cost: int = 0) -> str:
        self.nodes.append(
            Node(
                name, f"aten.{operation}", args, shape=shape, dtype="float32", path=name,
                multiply_adds=cost, elementwise=1, point=True,
            )
        )  # fmt: skip
        return name


def random_network(
    seed: int, name: str, steps: int = 6, heads: Sequence[str | None] = (None,)
) -> Network:
    """Convolutions, activations and sums in random order, then pooling and a linear head each."""
    drawing = Drawing(seed)
    channels = {"input": 3}
    for step in range(steps):
        source = str(drawing.random.choice(list(channels)[-3:]))
        partners = [n for n in channels if channels[n] == channels[source] and n != "input"]
        kind = drawing.random.choice(["conv", "conv", "relu", "add"])
        made, width = f"s{step}", channels[source]
        if kind == "conv":
            before, width = width, int(drawing.random.integers(2, 5))
            weight = drawing.weight(f"{made}.weight", width, before, 1, 1)
            cost = width * before * SIZE * SIZE
            args: tuple[Any, ...] = (Ref(source), weight)
            operation = "conv2d.default"
        elif kind == "add" and partners:
            args, operation, cost = (
                (Ref(source), Ref(str(drawing.random.choice(partners)))),
                "add.Tensor",
                0,
            )
        else:
            args, operation, cost = (Ref(source),), "tanh.default", 0
        drawing.add(made, operation, *args, shape=(BATCH, width, SIZE, SIZE), cost=cost)
        channels[made] = width
    last = f"s{steps - 1}"
    pooled = drawing.add("pool", "mean.dim", Ref(last), (2, 3), shape=(BATCH, channels[last]))
    outputs = []
    for head in heads:
        label = head or "head"
        weight = drawing.weight(f"{label}.weight", CLASSES, channels[last])
        cost = CLASSES * channels[last]
        args = (Ref(pooled), weight)
        outputs.append(
            (head, drawing.add(label, "linear.default", *args, shape=(BATCH, CLASSES), cost=cost))
        )
    return Network(name, Graph(tuple(drawing.nodes), tuple(outputs)), drawing.weights)


def random_matching(networks: Sequence[Network], seed: int, largest: int = 4) -> Matching:
    """Points joined in the order of their networks, so that no cycle arises; then shuffled."""
    random = np.random.default_rng(seed)
    spatial = [[p.name for p in n.graph.points if p.name.startswith("s")] for n in networks]
    count = int(random.integers(0, min(largest, *map(len, spatial)) + 1))
    chosen = [sorted(random.choice(len(names), count, replace=False)) for names in spatial]
    rows: list[tuple[str | None, ...]] = []
    for index in range(count):
        row: list[str | None] = [names[i[index]] for names, i in zip(spatial, chosen, strict=True)]
        if len(row) > 2 and random.random() < 0.3:  # a match need not join all networks
            row[int(random.integers(len(row)))] = None
        rows.append(tuple(row))
    if random.random() < 0.5:
        rows.append(("pool",) * len(networks))
    random.shuffle(rows)
    return matching_of(*rows)


def matching_of(*rows: tuple[str | None, ...]) -> Matching:
    return Matching(tuple(Match(row) for row in rows), len(rows), len(rows), "by hand")


def images(count: int = 2) -> Tensor:
    return torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(count))


seeds = st.integers(0, 2**32 - 1)


def random_genotype(cardinalities: Sequence[int], seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.random.default_rng(seed).integers(0, cardinalities).astype(np.int64)


# -- the definition, followed literally

COMPUTE = {
    "aten.conv2d.default": F.conv2d,
    "aten.linear.default": F.linear,
    "aten.tanh.default": torch.tanh,
    "aten.add.Tensor": torch.add,
    "aten.mean.dim": lambda x, axes: x.mean(axes),
}


class Interpreter:
    """Computes what a genotype selects, by recursion from the output; counts what it meets."""

    def __init__(
        self, networks: Sequence[Network], board: Switchboard, layers: Sequence[nn.Module],
        genotype: Sequence[int], inputs: Tensor,
    ) -> None:  # fmt: skip
        self.networks, self.board, self.layers = networks, board, layers
        self.genotype, self.inputs = genotype, inputs
        self.values: dict[FeatureRef, Tensor] = {}
        self.stitched: dict[int, Tensor] = {}
        self.active: set[int] = {len(genotype) - 1}

    def original(self, place: FeatureRef) -> Tensor:
        """A step computed from what its own inputs' consumers read."""
        network = self.networks[place.network]
        node = network.graph.by_name[place.point]
        if node.operation == INPUT:
            return self.inputs
        if node.operation == WEIGHT:
            return network.weights[node.path]
        if place not in self.values:
            args = [
                self.read(FeatureRef(place.network, arg.name)) if isinstance(arg, Ref) else arg
                for arg in node.args
            ]
            self.values[place] = COMPUTE[node.operation](*args)
        return self.values[place]

    def read(self, place: FeatureRef) -> Tensor:
        """Return what consumers of a point read: the original, or a stitch of another original."""
        for index, switch in enumerate(self.board.switches):
            if switch.place == place:
                self.active.add(index)
                stitch = switch.stitches[self.genotype[index]]
                if stitch is None:
                    break
                if stitch not in self.stitched:
                    source = self.original(self.board.stitches[stitch].source)
                    self.stitched[stitch] = self.layers[stitch](source)
                return self.stitched[stitch]
        return self.original(place)

    def outputs(self, averaging: Averaging) -> dict[str | None, Tensor]:
        chosen = self.board.outputs[self.genotype[-1]]
        shares = averaging.shares(chosen)
        found: dict[str | None, Tensor] = {}
        for key in self.networks[chosen[0]].graph.output_keys:
            tensors = [
                self.original(FeatureRef(i, dict(self.networks[i].graph.outputs)[key]))
                for i in chosen
            ]
            if len(chosen) == 1:
                found[key] = tensors[0]
            elif averaging.rule == "logits":
                found[key] = sum(s * t for s, t in zip(shares, tensors, strict=True))  # type: ignore[assignment]
            else:
                mean = sum(s * t.softmax(1) for s, t in zip(shares, tensors, strict=True))
                found[key] = torch.log(mean)  # type: ignore[arg-type]
        return found

    @property
    def multiply_adds(self) -> int:
        run = sum(
            self.networks[place.network].graph.by_name[place.point].multiply_adds
            for place in self.values
        )
        return run + sum(self.board.stitches[stitch].multiply_adds for stitch in self.stitched)

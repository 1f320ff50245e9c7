"""The graph that a genotype selects, pruned to what its output depends on."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from netstitch.networks.graph import INPUT, WEIGHT, Argument, Graph, Node, Ref, rename
from netstitch.stitching.stitch import Place, Stitch
from netstitch.stitching.switches import Switchboard
from netstitch.stitching.wiring import Genotype

Ensemble = Literal["logits", "probabilities"]
"""How networks' outputs are averaged: as they are, or as the logarithm of mean probabilities."""


@dataclass(frozen=True)
class Averaging:
    """The ensemble: a rule, and a positive weight per network (equal when None)."""

    rule: Ensemble = "logits"
    weights: tuple[float, ...] | None = None

    def shares(self, subset: Sequence[int]) -> tuple[float, ...]:
        """Weights of a subset of networks, summing to one."""
        chosen = [1.0 if self.weights is None else self.weights[index] for index in subset]
        return tuple(weight / sum(chosen) for weight in chosen)


def assemble(
    names: Sequence[str],
    graphs: Sequence[Graph],
    board: Switchboard,
    averaging: Averaging,
    genotype: Genotype,
) -> Graph:
    """The subnetwork of a genotype as one graph.

    Nodes are named after their network ("resnet_layer1_0_conv1_conv2d"), weights likewise
    ("resnet.layer1.0.conv1.weight"), stitches after their match ("stitches.003.resnet_to_vit").
    """
    return _Assembly(names, graphs, board, averaging, genotype).result()


def stitch_key(names: Sequence[str], stitch: Stitch) -> str:
    """The prefix of a stitch's weights; ".weight" and ".bias" follow."""
    source, target = names[stitch.source.network], names[stitch.target.network]
    return f"stitches.{stitch.match:03d}.{source}_to_{target}"


class _Assembly:
    def __init__(
        self,
        names: Sequence[str],
        graphs: Sequence[Graph],
        board: Switchboard,
        averaging: Averaging,
        genotype: Genotype,
    ) -> None:
        self.names, self.graphs, self.board = names, graphs, board
        self.averaging = averaging
        self.output = board.outputs[genotype[-1]]
        self.chosen = {
            switch.place: switch.stitches[choice]
            for switch, choice in zip(board.switches, genotype[:-1].tolist(), strict=True)
        }
        self.nodes: list[Node] = []
        self.made: dict[Place | Stitch, str] = {}
        self.taken: set[str] = set()

    def result(self) -> Graph:
        first = self.graphs[self.output[0]]
        self._append(replace(first.input, name="input", args=(), point=False))
        roots = [
            Place(network, name)
            for network in self.output
            for _, name in self.graphs[network].outputs
        ]
        self._compute(roots)
        if len(self.output) == 1:
            outputs = tuple(
                (key, self.made[Place(self.output[0], name)]) for key, name in first.outputs
            )
        else:
            outputs = tuple((key, self._average(key)) for key in first.output_keys)
        return Graph(tuple(self.nodes), outputs)

    def _compute(self, roots: Sequence[Place]) -> None:
        """Add everything the roots depend on, what is read before what reads it."""
        pending: list[Place | Stitch] = list(reversed(roots))
        while pending:
            item = pending[-1]
            missing = [other for other in self._reads(item) if other not in self.made]
            if item in self.made or not missing:
                pending.pop()
                if item not in self.made:
                    self._add(item)
            else:
                pending.extend(reversed(missing))

    def _reads(self, item: Place | Stitch) -> list[Place | Stitch]:
        if isinstance(item, Stitch):
            return [item.source]
        node = self.graphs[item.network].by_name[item.point]
        return [self._source(Place(item.network, name)) for name in node.inputs]

    def _source(self, place: Place) -> Place | Stitch:
        """What the consumers of a point read."""
        stitch = self.chosen.get(place)
        return place if stitch is None else self.board.stitches[stitch]

    def _add(self, item: Place | Stitch) -> None:
        if isinstance(item, Stitch):
            self.made[item] = self._stitch(item)
            return
        network = item.network
        node = self.graphs[network].by_name[item.point]
        if node.operation == INPUT:
            self.made[item] = "input"
            return
        prefix = self.names[network]
        read = {name: self.made[self._source(Place(network, name))] for name in node.inputs}
        made = replace(
            node,
            name=f"{prefix}_{node.name}",
            path=f"{prefix}.{node.path}" if node.path else prefix,
            args=tuple(rename(argument, read) for argument in node.args),
            kwargs=_renamed(node.kwargs, read),
            point=False,
        )
        self.made[item] = self._append(made)

    def _append(self, node: Node) -> str:
        """Add a node; networks "a" and "a_b" may come to the same name, which is then numbered."""
        number, name = 1, node.name
        while name in self.taken:
            number += 1
            name = f"{node.name}_{number}"
        self.taken.add(name)
        self.nodes.append(node if name == node.name else replace(node, name=name))
        return name

    def _stitch(self, stitch: Stitch) -> str:
        key = stitch_key(self.names, stitch)
        name = key.replace(".", "_").replace("stitches", "stitch")
        kernel = (1, 1) if stitch.spatial else ()
        weight = self._append(
            Node(
                f"{name}_weight",
                WEIGHT,
                shape=(stitch.outputs, stitch.inputs, *kernel),
                dtype="float32",
                path=f"{key}.weight",
            )
        )
        bias = self._append(
            Node(
                f"{name}_bias", WEIGHT, shape=(stitch.outputs,), dtype="float32", path=f"{key}.bias"
            )
        )
        target = self.graphs[stitch.target.network].by_name[stitch.target.point]
        return self._append(
            Node(
                name,
                "aten.conv2d.default" if stitch.spatial else "aten.linear.default",
                (Ref(self.made[stitch.source]), Ref(weight), Ref(bias)),
                shape=target.shape,
                dtype="float32",
                path=key,
                multiply_adds=stitch.multiply_adds,
            )
        )

    def _average(self, key: str | None) -> str:
        """Add the mean of the networks' outputs under a key.

        Probabilities are averaged as logarithms, so that none becomes zero: the logarithm of the
        sum of exponentials of (log share + log probability).
        """
        stem = "ensemble" if key is None else re.sub(r"\W+", "_", f"ensemble_{key}", flags=re.ASCII)
        probabilities = self.averaging.rule == "probabilities"
        shares = self.averaging.shares(self.output)
        terms = []
        for network, share in zip(self.output, shares, strict=True):
            graph = self.graphs[network]
            place = Place(network, dict(graph.outputs)[key])
            node = graph.by_name[place.point]
            term, name = Ref(self.made[place]), f"{stem}_{self.names[network]}"
            if probabilities:
                term = self._operate(f"{name}_log_softmax", "log_softmax.int", (term, 1), node)
                term = self._operate(f"{name}_share", "add.Tensor", (term, math.log(share)), node)
                term = self._operate(f"{name}_stacked", "unsqueeze.default", (term, 0), node, 1)
            else:
                term = self._operate(f"{name}_share", "mul.Tensor", (term, share), node)
            terms.append(term)
        if probabilities:
            args = (tuple(terms), 0)
            joined = self._operate(f"{stem}_terms", "cat.default", args, node, len(terms))
            return self._operate(f"{stem}_log_mean", "logsumexp.default", (joined, (0,)), node).name
        total, *others = terms
        for term in others:
            total = self._operate(f"{stem}_sum", "add.Tensor", (total, term), node)
        return total.name

    def _operate(
        self,
        name: str,
        operation: str,
        args: tuple[Argument, ...],
        like: Node,
        stacked: int | None = None,
    ) -> Ref:
        """Add an operation on outputs; stacked: the size of an axis before those of `like`."""
        shape = like.shape if stacked is None else (stacked, *(like.shape or ()))
        node = Node(name, f"aten.{operation}", args, shape=shape, dtype=like.dtype, path="ensemble")
        return Ref(self._append(node))


def _renamed(kwargs: Mapping[str, Argument], names: Mapping[str, str]) -> dict[str, Argument]:
    return {key: rename(argument, names) for key, argument in kwargs.items()}

"""The graph that a genotype selects, pruned to what its output depends on."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from netstitch.networks.graph import INPUT, WEIGHT, Argument, Graph, Node, Ref, rename
from netstitch.stitching.stitch import Stitch
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


Made = dict[tuple[int, str, tuple[str, ...]], Node]
"""Nodes of subnetworks by network, name, and the names of what they read: most are in many."""

Item = tuple[int, str] | int
"""What is computed: a node, by network and name, or a stitch, by its index."""


def assemble(
    names: Sequence[str],
    graphs: Sequence[Graph],
    board: Switchboard,
    averaging: Averaging,
    genotype: Genotype,
    made: Made | None = None,
) -> Graph:
    """The subnetwork of a genotype as one graph.

    Nodes are named after their network ("resnet_layer1_0_conv1_conv2d"), weights likewise
    ("resnet.layer1.0.conv1.weight"), stitches after their match ("stitches.003.resnet_to_vit").

    made: nodes of earlier calls with the same names, graphs and board; new ones are added. Making
        them takes most of the time.
    """
    return _Assembly(
        names, graphs, board, averaging, genotype, {} if made is None else made
    ).result()


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
        known: Made,
    ) -> None:
        self.names, self.graphs, self.board = names, graphs, board
        self.averaging, self.known = averaging, known
        self.output = board.outputs[genotype[-1]]
        # What consumers of a point read, where it is not the point itself.
        self.chosen: dict[Item, Item] = {}
        for switch, choice in zip(board.switches, genotype[:-1].tolist(), strict=True):
            stitch = switch.stitches[choice]
            if stitch is not None:
                self.chosen[switch.place.network, switch.place.point] = stitch
        self.nodes: list[Node] = []
        self.made: dict[Item, str] = {}
        self.taken: set[str] = set()

    def result(self) -> Graph:
        first = self.graphs[self.output[0]]
        self._append(replace(first.input, name="input", args=(), point=False))
        roots: list[Item] = [
            (network, name) for network in self.output for _, name in self.graphs[network].outputs
        ]
        self._compute(roots)
        if len(self.output) == 1:
            outputs = tuple((key, self.made[self.output[0], name]) for key, name in first.outputs)
        else:
            outputs = tuple((key, self._average(key)) for key in first.output_keys)
        return Graph(tuple(self.nodes), outputs)

    def _compute(self, roots: Sequence[Item]) -> None:
        """Add everything the roots depend on, what is read before what reads it."""
        made, pending = self.made, list(reversed(roots))
        while pending:
            item = pending[-1]
            if item in made:
                pending.pop()
                continue
            reads = self._reads(item)
            missing = [other for other in reads if other not in made]
            if missing:
                pending.extend(reversed(missing))
            else:
                pending.pop()
                self._add(item, reads)

    def _reads(self, item: Item) -> list[Item]:
        if isinstance(item, int):
            source = self.board.stitches[item].source
            return [(source.network, source.point)]
        network, name = item
        found: list[Item] = [(network, read) for read in self.graphs[network].by_name[name].inputs]
        return [self.chosen.get(read, read) for read in found]

    def _add(self, item: Item, reads: Sequence[Item]) -> None:
        names = tuple(self.made[read] for read in reads)
        if isinstance(item, int):
            self.made[item] = self._stitch(self.board.stitches[item], names[0])
            return
        network, name = item
        node = self.known.get((network, name, names))
        if node is None:
            node = self._renamed(network, self.graphs[network].by_name[name], names)
            self.known[network, name, names] = node
        self.made[item] = "input" if node.operation == INPUT else self._append(node)

    def _renamed(self, network: int, node: Node, names: Sequence[str]) -> Node:
        """A network's node as it is in subnetworks; names: of what it reads, in order."""
        prefix = self.names[network]
        read = dict(zip(node.inputs, names, strict=True))
        return replace(
            node,
            name=f"{prefix}_{node.name}",
            path=f"{prefix}.{node.path}" if node.path else prefix,
            args=tuple(rename(argument, read) for argument in node.args),
            kwargs={key: rename(argument, read) for key, argument in node.kwargs.items()},
            point=False,
        )

    def _append(self, node: Node) -> str:
        """Add a node; networks "a" and "a_b" may come to the same name, which is then numbered."""
        number, name = 1, node.name
        while name in self.taken:
            number += 1
            name = f"{node.name}_{number}"
        self.taken.add(name)
        self.nodes.append(node if name == node.name else replace(node, name=name))
        return name

    def _stitch(self, stitch: Stitch, source: str) -> str:
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
                (Ref(source), Ref(weight), Ref(bias)),
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
            node = graph.by_name[dict(graph.outputs)[key]]
            term, name = Ref(self.made[network, node.name]), f"{stem}_{self.names[network]}"
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

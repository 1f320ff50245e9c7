"""The graph that a genotype selects, pruned to what its output depends on."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from netstitch.errors import StitchingError
from netstitch.networks.content import renamed
from netstitch.networks.graph import INPUT, WEIGHT, Argument, Graph, Node, Ref
from netstitch.networks.network import Network
from netstitch.networks.probabilities import WAY_OUT, check_alike
from netstitch.stitching.reachability import Genotype
from netstitch.stitching.stitch import Stitch
from netstitch.stitching.structure import Structure
from netstitch.text import numbered

Ensemble = Literal["logits", "probabilities"]
"""The rule of averaging: outputs as they are, or the logarithm of their mean probabilities."""


@dataclass(frozen=True)
class Averaging:
    """The forming of an ensemble: a rule, and a positive weight per network (equal when None)."""

    rule: Ensemble = "logits"
    weights: tuple[float, ...] | None = None

    def shares(self, subset: Sequence[int]) -> tuple[float, ...]:
        """Return the weights of a subset of networks, summing to one."""
        chosen = [1.0 if self.weights is None else self.weights[index] for index in subset]
        return tuple(weight / sum(chosen) for weight in chosen)


Subgraph = dict[tuple[int, str, tuple[str, ...]], Node]
"""Nodes of subnetworks by network, name, and the names of what they read: most are in many."""

Item = tuple[int, str] | int
"""A node, by network and name, or a stitch, by its index."""


def make_subgraph(
    structure: Structure,
    averaging: Averaging,
    genotype: Genotype,
    made: Subgraph | None = None,
) -> Graph:
    """Return the subnetwork of a genotype as one graph.

    Nodes are named after their network ("resnet_layer1_0_conv1_conv2d"), weights likewise
    ("resnet.layer1.0.conv1.weight"), stitches after their match ("stitches.003.resnet_to_vit").
    Making nodes takes most of the time: `made` has those of earlier calls with the same structure,
    and new ones are added to it.
    """
    return _SubgraphBuilder(structure, averaging, genotype, {} if made is None else made).result()


def stitch_key(names: Sequence[str], stitch: Stitch) -> str:
    """Return the prefix of a stitch's weights; ".weight" and ".bias" follow."""
    source, target = names[stitch.source.network], names[stitch.target.network]
    return f"stitches.{stitch.match:03d}.{source}_to_{target}"


class _SubgraphBuilder:
    def __init__(
        self, structure: Structure, averaging: Averaging, genotype: Genotype, known: Subgraph
    ) -> None:
        self.names, self.graphs = structure.names, structure.graphs
        self.board = board = structure.board
        self.averaging, self.known = averaging, known
        self.output = board.outputs[genotype[-1]]
        # What consumers of a point read, where it is not the point itself.
        self.chosen: dict[Item, Item] = {}
        for switch, choice in zip(board.switches, genotype[:-1].tolist(), strict=True):
            stitch = switch.stitches[choice]
            if stitch is not None:
                self.chosen[switch.place.network, switch.place.point] = stitch
        self.nodes = NodeList()
        self.made: dict[Item, str] = {}

    def result(self) -> Graph:
        first = self.graphs[self.output[0]]
        self.nodes.append(input_node(first))
        roots: list[Item] = [
            (network, name) for network in self.output for _, name in self.graphs[network].outputs
        ]
        self._compute(roots)
        if len(self.output) == 1:
            outputs = tuple((key, self.made[self.output[0], name]) for key, name in first.outputs)
        else:
            outputs = tuple((key, self._average(key)) for key in first.output_keys)
        return Graph(self.nodes.all, outputs)

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
            stitch = self.board.stitches[item]
            target = self.graphs[stitch.target.network].by_name[stitch.target.point]
            self.made[item] = add_stitch(self.nodes.append, self.names, stitch, names[0], target)
            return
        network, name = item
        node = self.known.get((network, name, names))
        if node is None:
            own = self.graphs[network].by_name[name]
            node = node_in_subnetworks(self.names[network], own, names)
            self.known[network, name, names] = node
        self.made[item] = "input" if node.operation == INPUT else self.nodes.append(node)

    def _average(self, key: str | None) -> str:
        """Add the mean of the networks' outputs under a key; return its node's name."""
        ends = [(network, dict(self.graphs[network].outputs)[key]) for network in self.output]
        names, like = [self.names[network] for network in self.output], ends[0][1]
        return add_average(
            *(self.nodes.append, self.averaging.rule, key, names),
            shares=self.averaging.shares(self.output),
            outputs=[self.made[end] for end in ends],
            like=self.graphs[self.output[0]].by_name[like],
        )


class NodeList:
    """The nodes of a graph that is being made, each under a name of its own."""

    def __init__(self) -> None:
        self.by_name: dict[str, Node] = {}

    @property
    def all(self) -> tuple[Node, ...]:
        """The nodes in their order."""
        return tuple(self.by_name.values())

    def append(self, node: Node) -> str:
        """Add a node and return its name: one that networks "a" and "a_b" both give is numbered."""
        name = numbered(node.name, self.by_name)
        self.by_name[name] = node if name == node.name else replace(node, name=name)
        return name


def input_node(graph: Graph) -> Node:
    """Return the input of a network as it is in subnetworks."""
    return replace(graph.input, name="input", args=(), point=False)


def node_in_subnetworks(prefix: str, node: Node, names: Sequence[str]) -> Node:
    """Return a network's node as it is in subnetworks.

    Args:
        prefix: The network's name.
        node: Of its graph.
        names: Of what it reads, in the order of `Node.inputs`.
    """
    read = dict(zip(node.inputs, names, strict=True))
    path = f"{prefix}.{node.path}" if node.path else prefix
    return replace(renamed(node, f"{prefix}_{node.name}", read), path=path, point=False)


Append = Callable[[Node], str]
"""Adds a node to a graph and returns the name that it got there."""


def add_stitch(
    append: Append, names: Sequence[str], stitch: Stitch, source: str, target: Node
) -> str:
    """Add a stitch's weights and layer in the place of a target; return the layer's name.

    Networks are named; `source` is the name of the node that the stitch reads.
    """
    key = stitch_key(names, stitch)
    name = key.replace(".", "_").replace("stitches", "stitch")
    shapes = {
        "weight": (stitch.outputs, stitch.inputs, *stitch.layout.kernel),
        "bias": (stitch.outputs,),
    }
    weight, bias = (
        append(Node(f"{name}_{part}", WEIGHT, shape=shape, dtype="float32", path=f"{key}.{part}"))
        for part, shape in shapes.items()
    )
    return append(
        Node(
            name,
            stitch.layout.operation,
            (Ref(source), Ref(weight), Ref(bias)),
            shape=target.shape,
            dtype="float32",
            path=key,
            multiply_adds=stitch.multiply_adds,
        )
    )


def add_average(
    append: Append,
    rule: Ensemble,
    key: str | None,
    names: Sequence[str],
    shares: Sequence[float],
    outputs: Sequence[str],
    like: Node,
) -> str:
    """Add the mean of networks' outputs under a key, and return the name of its last node.

    Probabilities are averaged as logarithms, so that none becomes zero: the logarithm of the sum
    of exponentials of (log share + log probability).

    Names, shares, and the nodes that they end in are given for each network; `like` is a node of
    the outputs' shape and type.
    """

    def operate(
        name: str, operation: str, args: tuple[Argument, ...], stacked: int | None = None
    ) -> Ref:
        """Add an operation on outputs; stacked: the size of an axis before those of `like`."""
        shape = like.shape if stacked is None else (stacked, *(like.shape or ()))
        node = Node(name, f"aten.{operation}", args, shape=shape, dtype=like.dtype, path="ensemble")
        return Ref(append(node))

    stem = "ensemble" if key is None else re.sub(r"\W+", "_", f"ensemble_{key}", flags=re.ASCII)
    terms = []
    for network, share, output in zip(names, shares, outputs, strict=True):
        term, name = Ref(output), f"{stem}_{network}"
        if rule == "probabilities":
            term = operate(f"{name}_log_softmax", "log_softmax.int", (term, 1))
            term = operate(f"{name}_share", "add.Tensor", (term, math.log(share)))
            term = operate(f"{name}_stacked", "unsqueeze.default", (term, 0), 1)
        else:
            term = operate(f"{name}_share", "mul.Tensor", (term, share))
        terms.append(term)
    if rule == "probabilities":
        joined = operate(f"{stem}_terms", "cat.default", (tuple(terms), 0), len(terms))
        return operate(f"{stem}_log_mean", "logsumexp.default", (joined, (0,))).name
    total, *others = terms
    for term in others:
        total = operate(f"{stem}_sum", "add.Tensor", (total, term))
    return total.name


def check_outputs(
    names: Sequence[str], networks: Sequence[Network], averaging: Averaging
) -> frozenset[str | None]:
    """Return the keys of the outputs in which all networks put out probabilities.

    Raises:
        StitchingError: where only some do, and where an ensemble is to make probabilities of what
            are probabilities already.
    """
    found = check_alike(list(zip(names, networks, strict=True)))
    if found and averaging.rule == "probabilities":
        raise StitchingError(
            "the ensemble is to average probabilities, which it makes of logits, and the networks "
            f"end in probabilities already: for each, {WAY_OUT}"
        )
    return found

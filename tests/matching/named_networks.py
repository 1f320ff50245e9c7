"""For tests of matching: networks of a name and a graph, without weights."""

from dataclasses import dataclass

from netstitch.networks.graph import BATCH, INPUT, WEIGHT, Graph, Node, Ref


@dataclass
class Plain:
    name: str
    graph: Graph


def node(name, reads, *shape, point=True):
    args = tuple(Ref(read) for read in reads)
    return Node(name, "aten.any.default", args, shape=(BATCH, *shape), point=point)


def network(name, *steps, size=16, classes=10, keys=(None,)):
    """Steps between an input and a linear head; the head reads the last of them."""
    nodes = (
        Node("x", INPUT, shape=(BATCH, 3, size, size)),
        Node("weight", WEIGHT, shape=(classes, 8), path="head.weight"),
        *steps,
        node("logits", (steps[-1].name, "weight"), classes),
    )
    return Plain(name, Graph(nodes, tuple((key, "logits") for key in keys)))


def small(name, prefix, **options):
    """A stem, a halved map, and pooled features."""
    return network(
        name,
        node(f"{prefix}_stem", ("x",), 4, 16, 16),
        node(f"{prefix}_half", (f"{prefix}_stem",), 8, 8, 8),
        node(f"{prefix}_pool", (f"{prefix}_half",), 8),
        **options,
    )

"""Batch norms of networks of stages: folded, or as sums where they stand behind a decision."""

from collections.abc import Mapping
from dataclasses import replace

from torch import Tensor

from netstitch.networks.folding import fold
from netstitch.networks.graph import Graph, Node
from netstitch.networks.norm_sums import norms_as_sums
from netstitch.networks.staged import THRESHOLD, Ends, StagedGraph, split


def with_sums_behind_decisions(
    staged: StagedGraph, weights: Mapping[str, Tensor]
) -> tuple[StagedGraph, dict[str, Tensor]]:
    """Return the same with a product and a sum for each batch norm of a later stage."""
    first, *others = staged.stages
    stages, new = [first], dict(weights)
    for graph in others:
        changed, read = norms_as_sums(graph, weights)
        stages.append(changed)
        new |= read
    made = replace(staged, stages=tuple(stages))
    return made, {key: new[key] for key in (*made.weight_paths, THRESHOLD)}


def folded_stages(
    staged: StagedGraph, weights: Mapping[str, Tensor]
) -> tuple[StagedGraph, dict[str, Tensor]]:
    """Return the same with batch norms folded into layers that nothing else reads, in any stage."""
    nodes: dict[str, Node] = {}
    for node in staged.nodes:
        nodes.setdefault(node.name, node)
    names = [name for end in staged.ends for name in end if name is not None]
    outputs = tuple((str(index), name) for index, name in enumerate(names))
    graph, new = fold(Graph(tuple(nodes.values()), outputs), weights)
    found = iter(name for _, name in graph.outputs)
    ends: list[Ends] = []
    for _, confidence in staged.ends:
        answer = next(found)
        ends.append((answer, None if confidence is None else next(found)))
    return split(graph.nodes, ends, staged.key), new | {THRESHOLD: weights[THRESHOLD]}

"""Cascades of a supernet as graphs and modules: all stages, each tensor computed once."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, fx

from netstitch.errors import StitchingError
from netstitch.networks.content import united
from netstitch.networks.counting import count_parameters
from netstitch.networks.graph import WEIGHT, Graph
from netstitch.networks.module import copied_weights
from netstitch.networks.staged import THRESHOLD, StagedGraph
from netstitch.networks.staged_module import build_staged_module
from netstitch.stitching.cascade import Cascade, CascadeStage
from netstitch.stitching.cascade_graph import cascade_graph, decided_key
from netstitch.stitching.cascade_terms import Selected
from netstitch.stitching.exit import Exit
from netstitch.supernet.decisions import AnySubnetwork
from netstitch.supernet.with_exits import WithExits


def staged_graph(
    supernet: WithExits, cascade: Cascade, output: str | None = None
) -> tuple[StagedGraph, dict[str, Tensor]]:
    """Return the graph of a cascade, and the supernet's own tensors that it reads, by key.

    The thresholds are among them.

    Args:
        supernet: The supernet of the stages.
        cascade: The cascade.
        output: The key of the output that decisions are made by, where networks put out several.

    Raises:
        StitchingError: A stage does not fit the supernet, or cannot answer as it says.
    """
    graph = cascade_graph(
        supernet.structure,
        supernet.averaging,
        in_normal_form(supernet, cascade),
        supernet.pruned_graph,
        output=output,
        probabilities=decided_key(supernet.structure, output) in supernet.probabilities,
    )
    everything = supernet.tensors()
    weights = {path: everything[path] for path in graph.weight_paths}
    device = next(iter(weights.values()), torch.zeros(0)).device
    return graph, weights | {THRESHOLD: torch.tensor(cascade.thresholds, device=device)}


def cascade_module(
    supernet: WithExits,
    cascade: Cascade,
    share: bool,
    recalibrate: object,
    output: str | None,
) -> fx.GraphModule:
    """Return a cascade as a module; arguments are those of `Supernet.subnetwork`.

    Raises:
        StitchingError: There are inputs to recalibrate with, or `staged_graph` raises it.
    """
    check_not_recalibrated(recalibrate)
    graph, weights = staged_graph(supernet, cascade, output)
    return build_staged_module(graph, weights if share else copied_weights(weights))


def check_not_recalibrated(recalibrate: object) -> None:
    """Raise StitchingError where a cascade is to be recalibrated with inputs."""
    if recalibrate is not None:
        raise StitchingError(
            "the batch norms of a cascade are not recalibrated: stages share layers, which read "
            "other features in each; leave recalibrate out"
        )


def normal_form(supernet: WithExits, chosen: AnySubnetwork) -> Selected:
    """Return a genotype with choice 0 at switches that its output does not depend on, or an exit.

    Raises:
        StitchingError: The genotype does not fit the supernet.
    """
    if isinstance(chosen, Exit):
        return chosen
    used = supernet.active(chosen)
    return tuple(np.where(used, np.asarray(chosen), 0).tolist())


def in_normal_form(supernet: WithExits, cascade: Cascade) -> Cascade:
    """Return the cascade with its stages in normal form.

    Raises:
        StitchingError: A genotype does not fit the supernet.
    """

    def normal(number: int, stage: CascadeStage) -> CascadeStage:
        try:
            return replace(stage, subnetwork=normal_form(supernet, stage.subnetwork))
        except StitchingError as error:
            raise StitchingError(f"stage {number} of the cascade: {error}") from None

    stages = (normal(number, stage) for number, stage in enumerate(cascade.stages, start=1))
    return replace(cascade, stages=tuple(stages))


def graph_of_all_stages(supernet: WithExits, cascade: Cascade) -> Graph:
    """Return one graph that computes all outputs of all stages, each tensor once."""
    cascade = in_normal_form(supernet, cascade)
    return united([supernet.pruned_graph(stage.subnetwork) for stage in cascade.stages])


def parameters_of_all_stages(supernet: WithExits, cascade: Cascade) -> int:
    """Return the number of parameters that any stage reads."""
    everything = supernet.tensors()
    nodes = graph_of_all_stages(supernet, cascade).nodes
    paths = {node.path for node in nodes if node.operation == WEIGHT}
    return count_parameters({path: everything[path] for path in paths})

"""The card of a cascade: its stages in words, and all that decides between them."""

from typing import Any

import numpy as np

from netstitch.exporting.subnetwork import Subnetwork
from netstitch.networks.staged import StagedGraph
from netstitch.stitching.cascade import Cascade, CascadeStage
from netstitch.stitching.exit import Exit
from netstitch.stitching.sections import stage_compositions
from netstitch.stitching.wording import stage_in_words
from netstitch.supernet.cascade_parts import in_normal_form
from netstitch.supernet.supernet import Supernet


def cascade_card(supernet: Supernet, cascade: Cascade, subnetwork: Subnetwork) -> dict[str, Any]:
    """Return what the card says of a cascade; costs are those of the graph that is exported."""
    graph = subnetwork.graph
    assert isinstance(graph, StagedGraph)
    stages = in_normal_form(supernet, cascade).stages
    chosen = [
        one.subnetwork if isinstance(one.subnetwork, Exit) else np.asarray(one.subnetwork)
        for one in stages
    ]
    made = stage_compositions(supernet.structure, chosen)
    rows = zip(cascade.stages, made, graph.stages, strict=True)
    return {
        "confidence": cascade.confidence,
        "stages": [
            {
                "output": output_of(supernet, stage),
                "words": stage_in_words(found, supernet.names, first=index == 0),
                "threshold": stage.threshold,
                "answer": stage.answer,
                "temperatures": list(stage.temperatures),
                "multiply_adds": own.multiply_adds,
                **_selected(supernet, stage),
            }
            for index, (stage, found, own) in enumerate(rows)
        ],
    }


def output_of(supernet: Supernet, stage: CascadeStage) -> str:
    """Return what a stage puts out, such as "resnet" or "exit resnet layer2"."""
    if isinstance(stage.subnetwork, Exit):
        return f"exit {supernet.names[stage.subnetwork.network]} {stage.subnetwork.point}"
    return supernet.outputs[stage.subnetwork[-1]]


def _selected(supernet: Supernet, stage: CascadeStage) -> dict[str, Any]:
    if isinstance(stage.subnetwork, Exit):
        network = supernet.names[stage.subnetwork.network]
        return {"exit": {"network": network, "points": list(stage.subnetwork.points)}}
    return {"genotype": list(stage.subnetwork)}

"""The card of a cascade: its stages in words, and all that decides between them."""

from typing import Any

import numpy as np

from netstitch.exporting.subnetwork import Subnetwork
from netstitch.networks.staged import StagedGraph
from netstitch.stitching.cascade import Cascade
from netstitch.stitching.cascade_terms import Selected
from netstitch.stitching.exit import Exit
from netstitch.stitching.sections import stage_compositions
from netstitch.stitching.wording import stage_in_words
from netstitch.supernet.cascade_parts import in_normal_form
from netstitch.supernet.supernet import Supernet


def cascade_card(supernet: Supernet, cascade: Cascade, subnetwork: Subnetwork) -> dict[str, Any]:
    """Return the card's entries on a cascade; costs are those of the graph that is exported."""
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
                "output": found.output,
                "words": stage_in_words(found, supernet.names, first=index == 0),
                "threshold": stage.threshold,
                "answer": stage.answer,
                "temperatures": list(stage.temperatures),
                "multiply_adds": own.multiply_adds,
                **selected_card(supernet, stage.subnetwork),
            }
            for index, (stage, found, own) in enumerate(rows)
        ],
    }


def selected_card(supernet: Supernet, chosen: Selected) -> dict[str, object]:
    """Return the card's entries on a genotype or an exit."""
    if isinstance(chosen, Exit):
        return {"exit": {"network": supernet.names[chosen.network], "points": list(chosen.points)}}
    return {"genotype": list(chosen)}

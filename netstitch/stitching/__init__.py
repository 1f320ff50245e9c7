"""Stitches and switches between matched networks, and what a genotype makes of them."""

from netstitch.stitching.cascade import Cascade, CascadeStage
from netstitch.stitching.exit import Exit
from netstitch.stitching.genotype import check_genotype, make_genotype
from netstitch.stitching.reachability import Reachability
from netstitch.stitching.sections import Composition, Section, StitchEdge, composition
from netstitch.stitching.stitch import FeatureRef, Stitch
from netstitch.stitching.subgraph import Averaging, make_subgraph
from netstitch.stitching.subnetwork_drawing import subnetwork_html
from netstitch.stitching.switches import Switch, Switchboard, make_switchboard
from netstitch.stitching.wording import in_words

__all__ = [
    "Averaging",
    "Cascade",
    "CascadeStage",
    "Composition",
    "Exit",
    "FeatureRef",
    "Reachability",
    "Section",
    "Stitch",
    "StitchEdge",
    "Switch",
    "Switchboard",
    "check_genotype",
    "composition",
    "in_words",
    "make_genotype",
    "make_subgraph",
    "make_switchboard",
    "subnetwork_html",
]

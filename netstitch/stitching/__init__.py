"""Stitches and switches between matched networks, and what a genotype makes of them."""

from netstitch.stitching.genotype import check_genotype, make_genotype
from netstitch.stitching.reachability import Wiring
from netstitch.stitching.sections import Composition, Joint, Part, composition
from netstitch.stitching.stitch import Place, Stitch
from netstitch.stitching.subgraph import Averaging, assemble
from netstitch.stitching.subnetwork_html import subnetwork_html
from netstitch.stitching.switches import Switch, Switchboard, make_switchboard
from netstitch.stitching.wording import in_words

__all__ = [
    "Averaging",
    "Composition",
    "Joint",
    "Part",
    "Place",
    "Stitch",
    "Switch",
    "Switchboard",
    "Wiring",
    "assemble",
    "check_genotype",
    "composition",
    "in_words",
    "make_genotype",
    "make_switchboard",
    "subnetwork_html",
]

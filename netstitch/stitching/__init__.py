"""Stitches and switches between matched networks, and what a genotype makes of them."""

from netstitch.stitching.assembly import Averaging, assemble
from netstitch.stitching.genotype import check_genotype, make_genotype
from netstitch.stitching.stitch import Place, Stitch
from netstitch.stitching.switches import Switch, Switchboard, make_switchboard
from netstitch.stitching.wiring import Wiring

__all__ = [
    "Averaging",
    "Place",
    "Stitch",
    "Switch",
    "Switchboard",
    "Wiring",
    "assemble",
    "check_genotype",
    "make_genotype",
    "make_switchboard",
]

"""The second stage of fitting: stitches trained in sampled subnetworks."""

from netstitch.fitting.refinement.branch_subnetworks import check_refining
from netstitch.fitting.refinement.refine import refine
from netstitch.fitting.refinement.refine_report import CurvePoint, RefineReport, StitchRefined
from netstitch.fitting.refinement.union_graph import Joined

__all__ = [
    "CurvePoint",
    "Joined",
    "RefineReport",
    "StitchRefined",
    "check_refining",
    "refine",
]

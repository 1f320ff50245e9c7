"""The second stage of fitting: stitches trained in sampled subnetworks."""

from netstitch.fitting.refinement.branch_subnetworks import check_refining
from netstitch.fitting.refinement.refine_report import CurvePoint, RefineReport, StitchRefined
from netstitch.fitting.refinement.refining import refine
from netstitch.fitting.refinement.union_graph import UnionGraph

__all__ = [
    "CurvePoint",
    "RefineReport",
    "StitchRefined",
    "UnionGraph",
    "check_refining",
    "refine",
]

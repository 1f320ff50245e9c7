"""The second stage of fitting: stitches trained in sampled subnetworks."""

from netstitch.fitting.refinement.branches import check_refining
from netstitch.fitting.refinement.joined import Joined
from netstitch.fitting.refinement.refining import refine
from netstitch.fitting.refinement.report import CurvePoint, RefineReport, StitchRefined

__all__ = ["CurvePoint", "Joined", "RefineReport", "StitchRefined", "check_refining", "refine"]

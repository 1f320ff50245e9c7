"""Fitting the stitches of a supernet, the basis networks frozen.

`fit_least_squares` finds every stitch's best linear map in closed form, from one pass over the
data; `fit_adam` is the paper's training procedure. Both write the layers only when all is done,
and report each stitch's relative error on held-out samples. `fit` picks one by name. `refine` is
the second stage, which trains fitted stitches in sampled subnetworks. `fit_exits` needs none of
them: it fits linear maps from features of the basis networks to the ensemble's probabilities.
"""

from netstitch.fitting.adam import fit_adam
from netstitch.fitting.best_sources import best_sources
from netstitch.fitting.exit_report import ExitFit, ExitReport
from netstitch.fitting.exit_samples import EnsembleTeacher
from netstitch.fitting.exits import fit_exits
from netstitch.fitting.feature_stream import Batch, Features, ProgressCallback
from netstitch.fitting.fit_report import FitReport, StitchFit
from netstitch.fitting.fit_settings import AdamSettings, ExitSettings, LeastSquaresSettings
from netstitch.fitting.least_squares import fit_least_squares
from netstitch.fitting.methods import METHODS, FitMethod, fit
from netstitch.fitting.moments import Moments
from netstitch.fitting.recalibration import batch_norms, recalibrated, stitched_norms
from netstitch.fitting.refinement.branch_subnetworks import check_refining
from netstitch.fitting.refinement.refine_report import RefineReport, StitchRefined
from netstitch.fitting.refinement.refine_settings import RefineSettings
from netstitch.fitting.refinement.refining import refine

__all__ = [
    "METHODS",
    "AdamSettings",
    "Batch",
    "EnsembleTeacher",
    "ExitFit",
    "ExitReport",
    "ExitSettings",
    "Features",
    "FitMethod",
    "FitReport",
    "LeastSquaresSettings",
    "Moments",
    "ProgressCallback",
    "RefineReport",
    "RefineSettings",
    "StitchFit",
    "StitchRefined",
    "batch_norms",
    "best_sources",
    "check_refining",
    "fit",
    "fit_adam",
    "fit_exits",
    "fit_least_squares",
    "recalibrated",
    "refine",
    "stitched_norms",
]

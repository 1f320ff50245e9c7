"""Evaluation of subnetworks: no work is done twice, and no result is lost."""

from netstitch.evaluation.evaluator import Evaluator, Objectives
from netstitch.evaluation.execution_config import ExecutionConfig
from netstitch.evaluation.numerics import NumericsConfig, usable_device
from netstitch.evaluation.numerics_choice import measure_numerics
from netstitch.evaluation.store import Store
from netstitch.evaluation.workers import evaluating

__all__ = [
    "Evaluator",
    "ExecutionConfig",
    "NumericsConfig",
    "Objectives",
    "Store",
    "evaluating",
    "measure_numerics",
    "usable_device",
]

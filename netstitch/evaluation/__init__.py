"""How good subnetworks are, computed without doing the same work twice, and never lost."""

from netstitch.evaluation.device import usable_device
from netstitch.evaluation.evaluator import Evaluator, Measured
from netstitch.evaluation.execution_config import Spread
from netstitch.evaluation.numerics import Form
from netstitch.evaluation.numerics_choice import measure_form
from netstitch.evaluation.store import Store
from netstitch.evaluation.workers import evaluating

__all__ = [
    "Evaluator",
    "Form",
    "Measured",
    "Spread",
    "Store",
    "evaluating",
    "measure_form",
    "usable_device",
]

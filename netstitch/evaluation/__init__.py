"""How good subnetworks are, computed without doing the same work twice, and never lost."""

from netstitch.evaluation.device import usable_device
from netstitch.evaluation.evaluator import Evaluator, Measured
from netstitch.evaluation.form import Form
from netstitch.evaluation.measuring import measure_form
from netstitch.evaluation.spread import Spread
from netstitch.evaluation.store import Store
from netstitch.evaluation.workplace import evaluating

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

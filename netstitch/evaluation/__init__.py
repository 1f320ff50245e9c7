"""How good subnetworks are, computed without doing the same work twice, and never lost."""

from netstitch.evaluation.evaluator import Evaluator, Measured
from netstitch.evaluation.form import Form, measure_form
from netstitch.evaluation.store import Store

__all__ = ["Evaluator", "Form", "Measured", "Store", "measure_form"]

"""A task: how often one class, which is 0 or is not, is told from all others."""

from torch import Tensor

from netstitch.tasks.classification import Classification
from netstitch.tasks.task_outputs import Outputs


class ToyTask(Classification):
    """Class 0 against the rest."""

    def correct(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return (n,) bool: whether 0 is told from what is not 0."""
        return (self._logits(outputs, labels).argmax(1) == 0) == (labels == 0)

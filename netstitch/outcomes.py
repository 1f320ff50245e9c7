"""What networks of a supernet get right, sample by sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from netstitch.analysis.calibration import Calibration
from netstitch.evaluation import Evaluator, Form
from netstitch.evaluation.looking import Measure
from netstitch.fitting import Batch
from netstitch.stitching.wiring import Genotype
from netstitch.supernet import Supernet
from netstitch.tasks import Samples, Task


@dataclass(frozen=True)
class Outcomes:
    """Of some samples: whether a network is right on each, or the share of each that is, (n,).

    further: other measures of all of them, by name, such as "mean IoU". calibration: of the
    predicted classes, where the task can tell their confidence.
    """

    correct: NDArray[Any]
    further: Mapping[str, float]
    calibration: Calibration | None = None

    @property
    def share(self) -> float:
        """The accuracy that the task's own division gives, to the last bit."""
        share: float = self.correct.sum().item() / len(self.correct)
        return share


def measure(
    supernet: Supernet,
    task: Task,
    samples: Samples,
    genotypes: Sequence[Genotype],
    form: Form,
    device: torch.device | str = "cpu",
    *,
    recalibration: Sequence[Batch] | None = None,
) -> list[Outcomes]:
    """Outcomes of each genotype's network; what they have in common is computed once.

    form, device, recalibration: as of `Evaluator`.

    Raises DataError where outputs are not finite.
    """
    evaluator = Evaluator(supernet, task, samples, form, device=device, recalibration=recalibration)
    tally: Measure | None = getattr(task, "tally", None)
    reliability: Measure | None = getattr(task, "reliability", None)
    if tally is None and reliability is None:
        return [Outcomes(correct, {}) for correct in evaluator.correct_together(genotypes)]
    # A measure of a batch as a whole is one row.
    sums = [_summed(each) for each in (tally, reliability) if each is not None]
    found = []
    for correct, *rest in evaluator.measured_together(genotypes, task.correct, *sums):
        totals = [part.sum(0) for part in rest]
        further = {} if tally is None else task.further(totals[0])  # type: ignore[attr-defined]
        calibration = None if reliability is None else _calibration(totals[-1])
        found.append(Outcomes(correct.cpu().numpy(), further, calibration))
    return found


def _summed(measure: Measure) -> Measure:
    return lambda outputs, labels: measure(outputs, labels)[None]


def _calibration(sums: Tensor) -> Calibration:
    """sums: (bins, 3) of counts, confidences and right predictions."""
    counts, confidences, right = sums.T.tolist()
    return Calibration(tuple(map(int, counts)), tuple(confidences), tuple(map(int, right)))

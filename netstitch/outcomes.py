"""What networks of a supernet get right, sample by sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray

from netstitch.evaluation import Evaluator, Form
from netstitch.evaluation.looking import Measure
from netstitch.fitting import Batch
from netstitch.stitching.wiring import Genotype
from netstitch.supernet import Supernet
from netstitch.tasks import Samples, Task


@dataclass(frozen=True)
class Outcomes:
    """Of some samples: whether a network is right on each, or the share of each that is, (n,).

    further: other measures of all of them, by name, such as "mean IoU".
    """

    correct: NDArray[Any]
    further: Mapping[str, float]

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
    if tally is None:
        return [Outcomes(correct, {}) for correct in evaluator.correct_together(genotypes)]
    count, further = tally, task.further  # type: ignore[attr-defined]
    found = evaluator.measured_together(
        genotypes, task.correct, lambda outputs, labels: count(outputs, labels)[None]
    )
    return [Outcomes(correct.numpy(), further(tallies.sum(0))) for correct, tallies in found]

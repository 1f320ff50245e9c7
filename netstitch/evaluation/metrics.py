"""What networks of a supernet get right, sample by sample."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from netstitch.analysis.calibration import Calibration
from netstitch.evaluation.evaluator import Evaluator
from netstitch.evaluation.numerics import NumericsConfig
from netstitch.evaluation.output_reducers import Measure
from netstitch.fitting import Batch
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task
from netstitch.tasks.cross_entropy import exact_nats


@dataclass(frozen=True)
class Metrics:
    """Of some samples: whether a network is right on each, or the share of each that is, (n,).

    further: other measures of all of them, by name, such as "mean IoU". cross_entropy: in nats, the
    mean over samples, and calibration: of the predicted classes, where the task can tell these.
    """

    correct: NDArray[Any]
    further: Mapping[str, float]
    cross_entropy: float | None = None
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
    form: NumericsConfig,
    device: torch.device | str = "cpu",
    *,
    recalibration: Sequence[Batch] | None = None,
) -> list[Metrics]:
    """Outcomes of each genotype's network; what they have in common is computed once.

    form, device, recalibration: as of `Evaluator`. Cross-entropy and calibration are of logits, and
    are left out where the networks put out probabilities.

    Raises DataError where outputs are not finite.
    """
    evaluator = Evaluator(supernet, task, samples, form, device=device, recalibration=recalibration)
    measures: dict[str, Measure] = {"correct": task.correct}
    logits = not supernet.puts_out_probabilities(task.output)
    if task.tally is not None:
        measures["tally"] = _summed(task.tally)
    if task.reliability is not None and logits:
        measures["reliability"] = _summed(task.reliability)
    if task.cross_entropy is not None and logits:
        measures["cross_entropy"] = partial(exact_nats, task.cross_entropy)
    found = []
    for values in evaluator.measured_together(genotypes, *measures.values()):
        by_name = dict(zip(measures, values, strict=True))
        correct = by_name.pop("correct").cpu().numpy()
        totals = {name: value.sum(0) for name, value in by_name.items()}
        nats = totals.get("cross_entropy")
        found.append(
            Metrics(
                correct,
                task.further(totals["tally"]) if "tally" in totals else {},
                None if nats is None else float(nats) / len(correct),
                _calibration(totals["reliability"]) if "reliability" in totals else None,
            )
        )
    return found


def _summed(measure: Measure) -> Measure:
    return lambda outputs, labels: measure(outputs, labels)[None]


def _calibration(sums: Tensor) -> Calibration:
    """sums: (bins, 3) of counts, confidences and right predictions."""
    counts, confidences, right = sums.T.tolist()
    return Calibration(tuple(map(int, counts)), tuple(confidences), tuple(map(int, right)))

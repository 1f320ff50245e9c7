"""The outcomes of networks on samples: correctness of each, calibration, and further measures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netstitch.analysis.calibration import Calibration
from netstitch.evaluation.evaluator import Evaluator
from netstitch.evaluation.numerics import NumericsConfig
from netstitch.fitting import Batch
from netstitch.stitching.exit import Exit
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task
from netstitch.tasks.cross_entropy import exact_nats
from netstitch.tasks.task import Measure


@dataclass(frozen=True)
class Metrics:
    """A network's outcomes on n samples.

    Attributes:
        correct: (n,) bool, or the share of each sample that is right.
        further: Other measures of all samples, by name, such as "mean IoU".
        cross_entropy: In nats, the mean over samples, where the task can tell it.
        calibration: Of the predicted classes, where the task can tell it.
    """

    correct: NDArray[np.bool_] | NDArray[np.floating]
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
    genotypes: Sequence[Genotype | Exit],
    form: NumericsConfig,
    device: torch.device | str = "cpu",
    *,
    recalibration: Sequence[Batch] | None = None,
) -> list[Metrics]:
    """Return the outcomes of each genotype's network or exit; common work is done once.

    Cross-entropy and calibration are of logits, and are left out where the networks put out
    probabilities. Arguments are those of `Evaluator`.

    Raises:
        DataError: Outputs are not finite.
    """
    evaluator = Evaluator(supernet, task, samples, form, device=device, recalibration=recalibration)
    measures = measures_of(task, logits=not supernet.puts_out_probabilities(task.output))
    return [
        metrics_of(task, dict(zip(measures, values, strict=True)))
        for values in evaluator.measured_together(genotypes, *measures.values())
    ]


def measures_of(task: Task, logits: bool) -> dict[str, Measure]:
    """Return the measures of each batch by name; some only where outputs are logits."""
    measures: dict[str, Measure] = {"correct": task.correct}
    if task.tally is not None:
        measures["tally"] = _summed(task.tally)
    if task.reliability is not None and logits:
        measures["reliability"] = _summed(task.reliability)
    if task.cross_entropy is not None and logits:
        measures["cross_entropy"] = partial(exact_nats, task.cross_entropy)
    return measures


def metrics_of(task: Task, measured: Mapping[str, Tensor]) -> Metrics:
    """Return the outcomes of a network from the values of measures, one batch behind another."""
    correct = measured["correct"].cpu().numpy()
    totals = {name: value.sum(0) for name, value in measured.items()}
    calibration = None
    if "reliability" in totals:
        counts, confidences, right = totals["reliability"].T.tolist()
        calibration = Calibration(
            tuple(map(int, counts)), tuple(confidences), tuple(map(int, right))
        )
    return Metrics(
        correct,
        task.further(totals["tally"]) if "tally" in totals else {},
        float(totals["cross_entropy"]) / len(correct) if "cross_entropy" in totals else None,
        calibration,
    )


def _summed(measure: Measure) -> Measure:
    return lambda outputs, labels: measure(outputs, labels)[None]

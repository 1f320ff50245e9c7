"""Export with batch-norm statistics measured on the run's own training samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from netstitch.analysis import SPLITS, FrontPoint
from netstitch.cli.recorded import recorded_task
from netstitch.errors import DataError
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.exporting import Exported, export
from netstitch.records import check_samples, read_document
from netstitch.runs.reporter import Reporter
from netstitch.runs.run import STATISTICS_BATCH
from netstitch.runs.run_plan import RunPlan
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task

SAMPLES, BATCH = 4096, STATISTICS_BATCH
"""Training samples that statistics are taken from, at most, and how many at once."""


def searched_with(run: Path) -> int:
    """Samples that a run's search recalibrated each subnetwork on; 0 where it did not."""
    return read_document(run).recalibrate


@dataclass(frozen=True)
class Recalibration:
    """A run's task, and batches of its training samples."""

    task: Task
    batches: Sequence[Tensor]

    def accuracy(self, supernet: Supernet, genotype: Genotype, samples: Samples) -> float:
        """In [0, 1], of a subnetwork whose batch norms are recalibrated."""
        form = NumericsConfig(channels_last=False, batch=BATCH, workers=1)
        evaluator = Evaluator(supernet, self.task, samples, form, recalibration=self.batches)
        return evaluator.evaluate(genotype).accuracy


def recorded(run: Path, reporter: Reporter, *, trust: bool = False) -> Recalibration:
    """What a run folder says it was fitted on; samples are read again from where they were.

    Those that its search recalibrated on, or SAMPLES of all, spread evenly, where it did not.
    trust: as of `recorded_task`.

    Raises StorageError where run.json names none, or Python that is not to be run, or where they
    changed since; DataError where they are not there any more.
    """
    document = read_document(run)
    task = recorded_task(run, document.asked, reporter, trust=trust)
    check_samples(run, document, task)
    return Recalibration(task, statistics_of(run, task))


def statistics_of(run: Path, task: Task) -> Sequence[Tensor]:
    """Batches of a run's task that statistics are taken from; see `recorded`."""
    if task.training is None:
        raise DataError(
            "the run's task has no training samples, on which statistics are measured; leave out "
            "--recalibrate"
        )
    inputs, count = task.training.inputs, searched_with(run)
    if count:
        seed = read_document(run).seed
        inputs = task.training.shuffled(RunPlan.seed if seed is None else seed).first(count).inputs
    else:
        inputs = inputs[:: -(-len(inputs) // SAMPLES)]
    return torch.split(inputs, BATCH)


def export_recalibrated(
    recalibration: Recalibration,
    supernet: Supernet,
    point: FrontPoint,
    folder: Path,
    reporter: Reporter,
    *,
    formats: Sequence[str],
    fold: bool,
) -> Exported:
    """Export a network of a front with new batch-norm statistics; the card has both accuracies."""
    reporter.stage("recalibrate")
    task = recalibration.task
    genotype = supernet.genotype()
    genotype[:] = point.genotype
    card: dict[str, Any] = {"label": point.label}
    card |= {part: point.accuracy(part) for part in SPLITS}
    for part, samples in task.measured.items():
        card[f"{part}_recalibrated"] = recalibration.accuracy(supernet, genotype, samples)
    reporter.told(
        f"validation accuracy {100 * card['validation_recalibrated']:.2f} %, "
        f"{100 * point.validation:.2f} % before"
    )
    reporter.stage("export")
    return export(
        supernet,
        genotype,
        folder,
        card=card,
        formats=formats,
        recalibrate=recalibration.batches,
        fold=fold,
        progress=reporter.progress,
    )

"""Exporting a network of a front, with new batch-norm statistics where asked."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from netstitch.analysis import SPLITS, FrontPoint
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.events import Listener, Message, StageBegan, advancing
from netstitch.exporting import Exported, export
from netstitch.runs.recorded_run import STATISTICS_BATCH, FinishedRun
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Task


def export_point(
    supernet: Supernet,
    point: FrontPoint,
    folder: Path,
    listener: Listener,
    *,
    card: dict[str, Any] | None = None,
    **settings: Any,
) -> Exported:
    """Export a network of a front with its accuracies.

    Args:
        supernet: What the front is of.
        point: The network.
        folder: A new one.
        listener: Told how far it is.
        card: What the card says besides.
        **settings: Of `export`.
    """
    listener(StageBegan("export"))
    said = {"label": point.label} | {part: point.accuracy(part) for part in SPLITS} | (card or {})
    progress = advancing(listener)
    return export(supernet, point.genotype, folder, card=said, progress=progress, **settings)


def export_recorded(
    run: FinishedRun,
    point: FrontPoint,
    folder: Path,
    listener: Listener,
    *,
    recalibrate: bool = False,
    **settings: Any,
) -> Exported:
    """Export a network of a recorded run, as its search measured it.

    Args:
        run: The run.
        point: The network.
        folder: A new one.
        listener: Told how far it is.
        recalibrate: Whether batch norms behind stitches take new statistics from the run's training
            samples; they do in any case where the run's search measured networks with such.
        **settings: Of `export`.
    """
    supernet = run.supernet()
    if not (recalibrate or run.document.settings.evaluation.recalibrate):
        return export_point(supernet, point, folder, listener, **settings)
    listener(StageBegan("read"))
    task = run.task(listener)
    statistics = run.statistics(task)
    listener(StageBegan("recalibrate"))
    found = recalibrated_accuracies(supernet, task, point, statistics)
    now, before = 100 * found["validation"], 100 * point.validation
    listener(Message(f"validation accuracy {now:.2f} %, {before:.2f} % before"))
    card = {f"{part}_recalibrated": accuracy for part, accuracy in found.items()}
    settings |= {"card": card, "recalibrate": statistics}
    return export_point(supernet, point, folder, listener, **settings)


def recalibrated_accuracies(
    supernet: Supernet, task: Task, point: FrontPoint, statistics: Sequence[Tensor]
) -> dict[str, float]:
    """Return a network's accuracy in [0, 1] by part of the samples, with new statistics."""
    genotype = supernet.genotype()
    genotype[:] = point.genotype
    form = NumericsConfig(channels_last=False, batch=STATISTICS_BATCH, workers=1)
    found: dict[str, float] = {}
    for part, samples in task.measured.items():
        evaluator = Evaluator(supernet, task, samples, form, recalibration=statistics)
        found[part] = evaluator(genotype).accuracy
    return found

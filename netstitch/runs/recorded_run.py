"""A run as its folder tells it: its front, supernet, experiment and samples, to export or go on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from netstitch.analysis import SPLITS, CascadePoint, Front, FrontPoint
from netstitch.analysis.front_choice import AnyPoint
from netstitch.errors import DataError, SearchError
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.evaluation.execution_config import ExecutorName
from netstitch.events import Listener, Message, StageBegan, advancing, ignore
from netstitch.experiments import RunSettings, load_task
from netstitch.exporting import Exported, export
from netstitch.networks.sources.importing import permitting
from netstitch.records import RunDocument
from netstitch.records.front_check import check_front
from netstitch.records.run_folder import SUPERNET
from netstitch.records.run_record import read_finished
from netstitch.records.trust import permission_for
from netstitch.records.unchanged import check_samples
from netstitch.supernet.supernet import Supernet
from netstitch.supernet.supernet_loading import load_supernet
from netstitch.tasks import Task

STATISTICS_SAMPLES, STATISTICS_BATCH = 4096, 128
"""Training samples that statistics are taken from, at most, and how many at once."""

TRUSTING = "pass trust=True"
"""The way to trust a run from Python, as a message says it."""


@dataclass(frozen=True)
class FinishedRun:
    """A run that has a front, and its run.json; `trust` and `again` are as of `recorded_task`."""

    folder: Path
    document: RunDocument
    front: Front
    trust: bool = False
    again: str = TRUSTING

    def supernet(self) -> Supernet:
        """Read its supernet, with the stitches that were searched."""
        supernet = load_supernet(self.folder / SUPERNET)
        check_front(self.folder, self.front, supernet.structure)
        return supernet

    def task(self, listener: Listener) -> Task:
        """Read its samples, as `recorded_task` does; raise StorageError where they changed."""
        task = recorded_task(
            self.folder, self.document, listener, trust=self.trust, again=self.again
        )
        check_samples(self.folder, self.document, task)
        return task

    def statistics(self, task: Task) -> Sequence[Tensor]:
        """Return batches of training samples that batch norms take statistics from.

        Those that its search recalibrated on, or, where it did not, STATISTICS_SAMPLES of all,
        spread evenly.
        """
        if task.training is None:
            raise DataError(
                "the run's task has no training samples, on which statistics are measured; leave "
                "out --recalibrate"
            )
        recorded = self.document.settings
        inputs = task.training.inputs
        if recorded.recalibrate:
            seed = RunSettings().seed if recorded.seed is None else recorded.seed
            first = task.training.shuffled(seed).first(recorded.recalibrate)
            return torch.split(first.inputs, STATISTICS_BATCH)
        step = -(-len(inputs) // STATISTICS_SAMPLES)
        return torch.split(inputs[::step], STATISTICS_BATCH)


def open_run(folder: Path, *, trust: bool = False, again: str = TRUSTING) -> FinishedRun:
    """Return a run that has a front; raise StorageError where it has none, or it changed."""
    return FinishedRun(folder, *read_finished(folder), trust, again)


def export_point(
    supernet: Supernet,
    point: AnyPoint,
    folder: Path,
    listener: Listener,
    *,
    card: dict[str, object] | None = None,
    **settings: Any,
) -> Exported:
    """Export a network or a cascade of a front of the supernet with what was measured of it.

    The folder is a new one. The card says `card` besides; the settings are those of `export`.
    """
    listener(StageBegan("export"))
    said: dict[str, object] = {"label": point.label}
    said |= {part: point.accuracy(part) for part in SPLITS}
    if isinstance(point, CascadePoint):
        said |= {"mean_costs": point.mean_costs, "worst_cost": point.worst_cost}
        said["shares"] = {part: list(shares) for part, shares in point.shares.items()}
    said |= card or {}
    progress = advancing(listener)
    return export(supernet, point.subnetwork, folder, card=said, progress=progress, **settings)


def kind_of(point: AnyPoint) -> str:
    """Return the kind of a point of a front, with its article."""
    if isinstance(point, CascadePoint):
        return "a cascade"
    return "a network" if point.exit is None else "an exit"


def export_recorded(
    run: FinishedRun,
    point: AnyPoint,
    folder: Path,
    listener: Listener,
    *,
    recalibrate: bool = False,
    **settings: Any,
) -> Exported:
    """Export a network or a cascade of a recorded run into a new folder, as it was measured.

    With `recalibrate`, batch norms behind stitches take new statistics from the run's training
    samples; those of networks do in any case where the run's search measured them with such. The
    settings are those of `export`.

    Raises:
        SearchError: The point is one whose outputs recalibration cannot change.
    """
    network = point if isinstance(point, FrontPoint) and point.exit is None else None
    if recalibrate and network is None:
        raise SearchError(
            f"{point.label} is {kind_of(point)}, made for outputs as they are; leave out "
            "--recalibrate, or give a network of the front"
        )
    supernet = run.supernet()
    if network is not None and (recalibrate or run.document.settings.recalibrate):
        listener(StageBegan("read"))
        task = run.task(listener)
        statistics = run.statistics(task)
        listener(StageBegan("recalibrate"))
        genotype = supernet.genotype()
        genotype[:] = network.genotype
        form = NumericsConfig(channels_last=False, batch=STATISTICS_BATCH, workers=1)
        card: dict[str, float] = {}
        for part, samples in task.measured.items():
            evaluator = Evaluator(supernet, task, samples, form, recalibration=statistics)
            card[f"{part}_recalibrated"] = evaluator(genotype).accuracy
        now, before = 100 * card["validation_recalibrated"], 100 * network.validation
        listener(Message(f"validation accuracy {now:.2f} %, {before:.2f} % before"))
        settings |= {"card": card, "recalibrate": statistics}
    return export_point(supernet, point, folder, listener, **settings)


def recorded_task(
    run: Path,
    document: RunDocument,
    listener: Listener = ignore,
    *,
    trust: bool = False,
    again: str = TRUSTING,
) -> Task:
    """Read the samples that the run in a folder was given again, from where they were.

    With `trust`, Python that run.json names is run even where this user has not signed it; `again`
    is what the user is told to do to trust it.

    Raises:
        StorageError: run.json names no experiment, or Python that is not to be run.
        DataError: The samples are not there any more.
    """
    experiment = document.experiment(run)
    with permitting(permission_for(run, document, experiment, trust=trust, again=again)):
        return load_task(experiment, listener)


def spread_otherwise(
    settings: RunSettings,
    executor: ExecutorName | None = None,
    workers: int | None = None,
    address: str | None = None,
    device: str | tuple[str, ...] | None = None,
) -> RunSettings:
    """Return the settings with evaluations spread another way; None keeps what it says."""
    if executor == "serial" and workers is None:
        workers = 0  # those that it began with are no matter of this process
    given = {"executor": executor, "workers": workers, "address": address, "device": device}
    changes: dict[str, object] = {key: value for key, value in given.items() if value is not None}
    if executor not in (None, "ray"):  # what only Ray knows is no matter of the others
        changes |= {"address": address, "temporary": None, "gpus_per_worker": 0.0}
    return settings.changed(evaluation=settings.evaluation.changed(**changes))

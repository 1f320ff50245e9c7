"""Training a network or cascade of a recorded run's front, and what that was worth."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from netstitch.analysis import CascadePoint, FrontPoint, Split
from netstitch.analysis.front_choice import AnyPoint
from netstitch.errors import SearchError, StorageError
from netstitch.evaluation import NumericsConfig, usable_device
from netstitch.evaluation.metrics import Metrics, measure
from netstitch.events import Listener, Message, StageBegan, advancing
from netstitch.exporting import Exported
from netstitch.files.folders import check_new
from netstitch.fitting import recalibrated
from netstitch.records.run_folder import RUN_FILE
from netstitch.runs.finetuned_cascade import tune_cascade
from netstitch.runs.recorded_run import FinishedRun, export_point, kind_of
from netstitch.runs.tuned_rows import TunedRow, tuned_rows
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Task
from netstitch.threads import threads
from netstitch.tuning import FineTuned, FineTuneSettings, finetune_genotype, give
from netstitch.tuning.cascade_tuning import checkpoints
from netstitch.tuning.distilling import taught
from netstitch.tuning.teachers import Teacher
from netstitch.tuning.trained_weights import training_samples
from netstitch.tuning.tuning_settings import LABELS

CHECKPOINT = ".training"
"""The ending of the checkpoint's name, behind that of the new folder."""


@dataclass(frozen=True)
class Tuning:
    """A fine-tuned network or cascade, measured before and after, and its export.

    Attributes:
        point: As it was in the front; of a cascade as it is now.
        tuned: What became of its weights.
        rows: Measures before and after.
        exported: The files.
    """

    point: AnyPoint
    tuned: FineTuned
    rows: tuple[TunedRow, ...]
    exported: Exported


def tune_point(
    run: FinishedRun,
    label: str,
    folder: Path | None,
    listener: Listener,
    *,
    settings: FineTuneSettings,
    device: str,
    formats: tuple[str, ...],
) -> Tuning:
    """Fine-tune a network or cascade of a run's front, measure it before and after, and export it.

    The run itself is not changed. After Ctrl-C or a kill the same call goes on where training was,
    from a file beside the folder.

    The folder is a new one, by default RUN/finetuned-POINT; where the settings give no batch size,
    it is that on which the run's stitches were fitted.
    """
    if run.document.form is None:
        raise StorageError(
            f"{run.folder / RUN_FILE} has no 'form': its search has not begun; expected a run with "
            "a front"
        )
    form = run.document.form.exact
    point = run.front.pick(point=label)
    _check_trained(point, settings)
    folder = run.folder / f"finetuned-{point.label}" if folder is None else folder
    check_new(folder)
    checkpoint = folder.with_name(folder.name + CHECKPOINT)
    used = usable_device(device)
    recorded = run.document.settings
    fitted_on = recorded.batch_size
    if fitted_on is not None and "batch_size" not in settings.model_fields_set:
        settings = settings.changed(batch_size=fitted_on)  # as the paper does
    listener(StageBegan("read"))
    supernet = run.supernet()
    task = run.task(listener)
    files = [checkpoint]
    if isinstance(point, CascadePoint):
        files = checkpoints(checkpoint, point.cascade)
    statistics = None
    with telling_of(files, listener):
        if isinstance(point, CascadePoint):
            tuned, rows, point = tune_cascade(
                *(supernet, task, point, settings, form, listener),
                device=used,
                checkpoint=checkpoint,
            )
        else:
            # What a search measured with new statistics is trained so.
            statistics = run.statistics(task) if recorded.recalibrate else None
            tuned, rows = _tune_network(
                *(supernet, task, point, settings, form, listener),
                statistics=statistics,
                device=used,
                checkpoint=checkpoint,
            )
    learned = {} if tuned.held_out is None else {"held_out": asdict(tuned.held_out)}
    steps = {"steps": len(tuned.losses), "halvings": tuned.halvings}
    shares = [row for row in rows if row.measure == task.measure]
    card: dict[str, object] = {
        "finetuned": {**steps, **settings.model_dump(), **learned},
        **{row.part: row.after for row in shares},
        **{f"{row.part}_before": row.before for row in shares},
    }
    exported = export_point(
        *(supernet, point, folder, listener),
        card=card,
        formats=formats,
        recalibrate=_statistics_after(settings, statistics),
    )
    for file in files:
        file.unlink(missing_ok=True)
    return Tuning(point, tuned, rows, exported)


def _check_trained(point: AnyPoint, settings: FineTuneSettings) -> None:
    """Raise SearchError for a point that is not trained so."""
    if isinstance(point, FrontPoint) and point.exit is not None:
        raise SearchError(
            f"{point.label} is {kind_of(point)}, and only networks and cascades are trained; give "
            "the label of one of the front"
        )
    if isinstance(point, CascadePoint) and settings.teacher == LABELS:
        raise SearchError(
            f"{point.label} is {kind_of(point)}, whose stages learn a teacher's outputs and not "
            "labels; give a teacher, such as 'ensemble', or a network of the front"
        )


@contextmanager
def telling_of(files: Sequence[Path], listener: Listener) -> Iterator[None]:
    """Tell where training is kept, where Ctrl-C comes."""
    try:
        yield
    except KeyboardInterrupt:
        kept = ", ".join(str(file) for file in files if file.exists())
        if kept:
            listener(Message(f"how far training got is kept in {kept}: the same command goes on"))
        raise


def _statistics_after(
    settings: FineTuneSettings, statistics: Sequence[Tensor] | None
) -> Sequence[Tensor] | None:
    """Return the batches that statistics are taken from after training; None with a teacher.

    The state that is kept was compared with those that training began with.
    """
    return statistics if settings.teacher == LABELS else None


def _tune_network(
    supernet: Supernet,
    task: Task,
    point: FrontPoint,
    settings: FineTuneSettings,
    form: NumericsConfig,
    listener: Listener,
    *,
    statistics: Sequence[Tensor] | None,
    device: torch.device,
    checkpoint: Path,
) -> tuple[FineTuned, tuple[TunedRow, ...]]:
    """Train a network in its supernet; return what became of it, and what it was worth."""
    genotype = np.array(point.genotype, dtype=supernet.genotype().dtype)
    teacher = None
    if settings.teacher != LABELS:  # made before statistics and training change its weights
        teacher = Teacher(supernet, settings.teacher, task.output, device)

    def measured(statistics: Sequence[Tensor] | None) -> dict[Split, Metrics]:
        listener(StageBegan("measure"))
        found: dict[Split, Metrics] = {}
        for part, samples in task.measured.items():
            [found[part]] = measure(
                supernet, task, samples, [genotype], form, device, recalibration=statistics
            )
        return found

    before = measured(statistics)
    listener(StageBegan("train"))
    if statistics is not None:
        graph, weights = supernet.subnetwork_graph(genotype)
        with threads(1):  # as they were measured
            new = recalibrated(graph, weights, statistics)
        give(supernet, new)
    progress = advancing(listener)
    if teacher is None:
        tuned = finetune_genotype(
            *(supernet, task, genotype, settings),
            device=device,
            checkpoint=checkpoint,
            progress=progress,
        )
    else:
        inputs = training_samples(supernet, task).inputs
        tuned = taught(
            *(supernet, inputs, genotype, teacher, settings),
            device=device,
            checkpoint=checkpoint,
            progress=progress,
        )
    give(supernet, tuned.weights)
    return tuned, tuned_rows(task, before, measured(_statistics_after(settings, statistics)))

"""Training a network of a recorded run's front, and what that was worth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netstitch.analysis import FrontPoint, Interval, paired_difference
from netstitch.errors import SearchError, StorageError
from netstitch.evaluation import usable_device
from netstitch.evaluation.metrics import Metrics, measure
from netstitch.events import Listener, Message, StageBegan, advancing
from netstitch.exporting import Exported
from netstitch.files.folders import check_new
from netstitch.fitting import recalibrated
from netstitch.records.run_folder import RUN_FILE
from netstitch.runs.recorded_run import FinishedRun, export_point, kind_of
from netstitch.tuning.finetuning import FineTuned, FineTuneSettings, finetune, give

CHECKPOINT = ".training"
"""The ending of the checkpoint's name, behind that of the new folder."""


@dataclass(frozen=True)
class TunedRow:
    """A measure, such as "accuracy", of a part of the samples, before and after, in [0, 1].

    Attributes:
        difference: After minus before, of accuracies, with its paired bootstrap interval.
    """

    part: str
    measure: str
    before: float
    after: float
    difference: Interval | None = None


@dataclass(frozen=True)
class Tuning:
    """A fine-tuned network, measured before and after, and its export."""

    point: FrontPoint
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
    """Fine-tune a network of a run's front, measure it before and after, and export it.

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
    if not isinstance(point, FrontPoint) or point.exit is not None:
        raise SearchError(
            f"{point.label} is {kind_of(point)}, and only networks are trained; give the label of "
            "a network of the front"
        )
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
    genotype = np.array(point.genotype, dtype=supernet.genotype().dtype)
    # What a search measured with new statistics is trained, measured and exported with them.
    statistics = run.statistics(task) if recorded.recalibrate else None

    def measured() -> dict[str, Metrics]:
        listener(StageBegan("measure"))
        found: dict[str, Metrics] = {}
        for part, samples in task.measured.items():
            [found[part]] = measure(
                supernet, task, samples, [genotype], form, used, recalibration=statistics
            )
        return found

    before = measured()
    listener(StageBegan("train"))
    if statistics is not None:
        graph, weights = supernet.subnetwork_graph(genotype)
        give(supernet, recalibrated(graph, weights, statistics))
    try:
        progress = advancing(listener)
        tuned = finetune(
            supernet,
            task,
            genotype,
            settings,
            device=used,
            checkpoint=checkpoint,
            progress=progress,
        )
    except KeyboardInterrupt:
        if checkpoint.exists():
            kept = f"how far training got is kept in {checkpoint}: the same command goes on"
            listener(Message(kept))
        raise
    give(supernet, tuned.weights)
    after = measured()
    rows: list[TunedRow] = []
    for part, was in before.items():
        now = after[part]
        difference = paired_difference(now.correct, was.correct, seed=0)
        rows.append(TunedRow(part, task.measure, was.share, now.share, difference))
        rows += [TunedRow(part, each, was.further[each], now.further[each]) for each in was.further]
    card: dict[str, Any] = {
        "finetuned": {"steps": len(tuned.losses), **settings.model_dump()},
        **{part: now.share for part, now in after.items()},
        **{f"{part}_before": was.share for part, was in before.items()},
    }
    exported = export_point(
        supernet, point, folder, listener, card=card, formats=formats, recalibrate=statistics
    )
    checkpoint.unlink(missing_ok=True)
    return Tuning(point, tuned, tuple(rows), exported)

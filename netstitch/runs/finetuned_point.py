"""Training a network of a recorded run's front, and what that was worth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netstitch.analysis import FrontPoint, Interval, paired_difference
from netstitch.errors import StorageError
from netstitch.evaluation.metrics import Metrics, measure
from netstitch.evaluation.numerics import usable_device
from netstitch.events import Listener, Message, StageBegan, advancing
from netstitch.exporting import Exported, export
from netstitch.files.folders import check_new
from netstitch.fitting import recalibrated
from netstitch.records.run_folder import RUN_FILE
from netstitch.runs.recorded_run import FinishedRun
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

    Args:
        run: The run.
        label: Of the network, such as "P3".
        folder: A new one; by default RUN/finetuned-POINT.
        listener: Told how far it is.
        settings: What is trained, for how long and how fast; where they give no batch size, it is
            that of the fit of the run's stitches.
        device: What trains and measures, a name that PyTorch knows.
        formats: What is written.
    """
    if run.document.form is None:
        raise StorageError(
            f"{run.folder / RUN_FILE} says no form of evaluations; expected a run with a front"
        )
    form = run.document.form.exact
    point = run.front.pick(point=label)
    folder = run.folder / f"finetuned-{point.label}" if folder is None else folder
    check_new(folder)
    checkpoint = folder.with_name(folder.name + CHECKPOINT)
    used = usable_device(device)
    recorded = run.document.settings
    fitted_on = recorded.fit.batch_size
    if fitted_on is not None and "batch_size" not in settings.model_fields_set:
        settings = settings.changed(batch_size=fitted_on)  # as the paper does
    listener(StageBegan("read"))
    supernet = run.supernet()
    task = run.task(listener)
    genotype = np.array(point.genotype, dtype=supernet.genotype().dtype)
    parts = task.measured

    # What a search measured with new statistics is trained, measured and exported with them.
    statistics = run.statistics(task) if recorded.evaluation.recalibrate else None

    def measured() -> dict[str, Metrics]:
        listener(StageBegan("measure"))
        found: dict[str, Metrics] = {}
        for part, samples in parts.items():
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
        tuned = finetune(
            supernet,
            task,
            genotype,
            settings,
            device=used,
            checkpoint=checkpoint,
            progress=advancing(listener),
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
    listener(StageBegan("export"))
    card: dict[str, Any] = {
        "label": point.label,
        "finetuned": {"steps": len(tuned.losses), **settings.model_dump()},
        **{part: after[part].share for part in parts},
        **{f"{part}_before": before[part].share for part in parts},
    }
    exported = export(
        supernet,
        genotype,
        folder,
        card=card,
        formats=formats,
        recalibrate=statistics,
        progress=advancing(listener),
    )
    checkpoint.unlink(missing_ok=True)
    return Tuning(point, tuned, tuple(rows), exported)

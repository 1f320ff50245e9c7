"""Training a network of a run's front, and what that was worth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netstitch.analysis import FrontPoint, Interval, paired_difference
from netstitch.cli.options import again
from netstitch.cli.recalibrating import searched_with, statistics_of
from netstitch.cli.recorded import recorded_task
from netstitch.errors import StorageError
from netstitch.evaluation import NumericsConfig
from netstitch.evaluation.metrics import Metrics, measure
from netstitch.evaluation.numerics import usable_device
from netstitch.exporting import Exported, export
from netstitch.files.folders import check_new
from netstitch.fitting import make_settings, recalibrated
from netstitch.records import RunDocument, check_front, check_samples, read_document
from netstitch.records.front_check import load_front
from netstitch.records.run_folder import FRONT_FILE, RUN_FILE, SUPERNET
from netstitch.runs.reporter import Reporter
from netstitch.supernet.storage import load_supernet
from netstitch.tuning.finetuning import BATCH, FineTuned, FineTuneSettings, Trained, finetune, give

CHECKPOINT = ".training"
"""What the name of the new folder ends in for the file that says how far training is."""


@dataclass(frozen=True)
class Row:
    """A measure of a part of the samples, before and after.

    difference: after minus before, of accuracies, with its paired bootstrap interval.
    """

    part: str
    measure: str
    before: float
    after: float
    difference: Interval | None = None


@dataclass(frozen=True)
class Tuning:
    """What fine-tuning a network came to, and where it was written."""

    point: FrontPoint
    tuned: FineTuned
    rows: tuple[Row, ...]
    exported: Exported


def tune_point(
    run: Path,
    label: str,
    folder: Path | None,
    reporter: Reporter,
    *,
    trained: Trained,
    device: str,
    formats: tuple[str, ...],
    batch_size: int | None = None,
    trust: bool = False,
    **settings: Any,
) -> Tuning:
    """Fine-tune a network of a run's front, measure it before and after, and export it.

    batch_size: samples a step; None for as many as the run's stitches were fitted on. trust: as of
    `recorded_task`. settings: of `finetune`. The run itself is not changed.

    After Ctrl-C or a kill the same call goes on where training was, from a file beside the folder.
    """
    front = load_front(run)
    point = front.pick(point=label)
    folder = run / f"finetuned-{point.label}" if folder is None else folder
    check_new(folder)
    checkpoint = folder.with_name(folder.name + CHECKPOINT)
    place = usable_device(device)
    document = read_document(run)
    form = _form(run, document)
    settings["batch_size"] = batch_of(document) if batch_size is None else batch_size
    chosen = make_settings(FineTuneSettings, "finetune", {"trained": trained, **settings})
    reporter.stage("read")
    supernet = load_supernet(run / SUPERNET)
    check_front(run / FRONT_FILE, front, supernet.structure)
    task = recorded_task(run, document.asked, reporter, trust=trust)
    check_samples(run, document, task)
    genotype = np.array(point.genotype, dtype=supernet.genotype().dtype)
    parts = task.measured

    # What a search measured with new statistics is trained, measured and exported with them.
    statistics = statistics_of(run, task) if searched_with(run) else None

    def measured() -> dict[str, Metrics]:
        return {
            part: measure(
                supernet, task, samples, [genotype], form, place, recalibration=statistics
            )[0]
            for part, samples in parts.items()
        }

    reporter.stage("measure")
    before = measured()
    reporter.stage("train")
    if statistics is not None:
        graph, weights = supernet.subnetwork_graph(genotype)
        give(supernet, recalibrated(graph, weights, statistics))
    try:
        tuned = finetune(
            supernet,
            task,
            genotype,
            chosen,
            device=place,
            checkpoint=checkpoint,
            progress=reporter.progress,
        )
    except KeyboardInterrupt:
        if checkpoint.exists():
            reporter.told(f"how far training got is kept in {checkpoint}: the same command goes on")
            reporter.told(again())
        raise
    give(supernet, tuned.weights)
    reporter.stage("measure")
    after = measured()
    rows = tuple(
        row for part in parts for row in _rows(part, task.measure, before[part], after[part])
    )
    reporter.stage("export")
    card: dict[str, Any] = {
        "label": point.label,
        "finetuned": {"trained": trained, "steps": len(tuned.losses), **settings},
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
        progress=reporter.progress,
    )
    checkpoint.unlink(missing_ok=True)
    return Tuning(point, tuned, rows, exported)


def _rows(part: str, title: str, before: Metrics, after: Metrics) -> list[Row]:
    difference = paired_difference(after.correct, before.correct, seed=0)
    found = [Row(part, title, before.share, after.share, difference)]
    names = before.further.keys()
    return found + [Row(part, name, before.further[name], after.further[name]) for name in names]


def batch_of(document: RunDocument) -> int:
    """Images a step that an experiment's stitches are trained on, as the paper fine-tunes too."""
    return BATCH if document.fit_batch is None else document.fit_batch


def _form(run: Path, document: RunDocument) -> NumericsConfig:
    if document.form is None:
        raise StorageError(
            f"{run / RUN_FILE} says no form of evaluations; expected a run with a front"
        )
    return document.form.exact

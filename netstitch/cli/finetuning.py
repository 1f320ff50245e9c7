"""Training a network of a run's front, and what that was worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netstitch.analysis import FrontPoint, Interval, paired_difference
from netstitch.cli.recalibrating import searched_with, statistics_of
from netstitch.cli.recorded import recorded_task
from netstitch.errors import StorageError
from netstitch.evaluation import Form
from netstitch.evaluation.device import usable_device
from netstitch.exporting import Exported, export
from netstitch.finetuning import FineTuned, Trained, finetune, give
from netstitch.fitting.recalibration import recalibrated
from netstitch.folders import check_new
from netstitch.outcomes import Outcomes, measure
from netstitch.reporter import Reporter
from netstitch.run import load_front
from netstitch.run_folder import RUN_FILE, SUPERNET, read_document
from netstitch.storage import load_supernet


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
    **settings: Any,
) -> Tuning:
    """Fine-tune a network of a run's front, measure it before and after, and export it.

    settings: of `finetune`. The run itself is not changed.
    """
    point = load_front(run).pick(point=label)
    folder = run / f"finetuned-{point.label}" if folder is None else folder
    check_new(folder)
    place = usable_device(device)
    document = read_document(run)
    form = _form(run, document)
    asked = document.get("asked")
    reporter.stage("read")
    supernet = load_supernet(run / SUPERNET)
    task = recorded_task(run, asked if isinstance(asked, dict) else {}, _parts(reporter))
    genotype = np.array(point.genotype, dtype=supernet.genotype().dtype)
    parts = {"validation": task.validation}
    if task.test is not None:
        parts["test"] = task.test

    # What a search measured with new statistics is trained, measured and exported with them.
    statistics = statistics_of(run, task) if searched_with(run) else None

    def measured() -> dict[str, Outcomes]:
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
    tuned = finetune(
        supernet,
        task,
        genotype,
        trained=trained,
        device=place,
        progress=reporter.progress,
        **settings,
    )
    if tuned.interrupted:
        reporter.told(f"interrupted after {len(tuned.losses)} steps, which are kept")
    give(supernet, tuned.weights)
    reporter.stage("measure")
    after = measured()
    title = getattr(task, "measure", "accuracy")
    rows = tuple(row for part in parts for row in _rows(part, title, before[part], after[part]))
    reporter.stage("export")
    card = {
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
    return Tuning(point, tuned, rows, exported)


def _rows(part: str, title: str, before: Outcomes, after: Outcomes) -> list[Row]:
    difference = paired_difference(after.correct, before.correct, seed=0)
    found = [Row(part, title, before.share, after.share, difference)]
    names = before.further.keys()
    return found + [Row(part, name, before.further[name], after.further[name]) for name in names]


def _form(run: Path, document: Mapping[str, Any]) -> Form:
    try:
        return Form(**document["form"]).exact
    except (KeyError, TypeError) as error:
        raise StorageError(
            f"{run / RUN_FILE} says no form of evaluations; expected a run with a front"
        ) from error


def _parts(reporter: Reporter) -> Any:
    return lambda part, done, total: reporter.progress(done, total, part)

"""Training a cascade of a recorded run's front, and what that was worth."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from netstitch.analysis import CascadePoint, Split
from netstitch.cascades.answers import answer_rule
from netstitch.cascades.running import RunOutcome, run_cascades
from netstitch.evaluation import NumericsConfig
from netstitch.events import Listener, StageBegan, advancing
from netstitch.files.settings import MEMORY
from netstitch.runs.tuned_rows import TunedRow, tuned_rows
from netstitch.stitching.cascade import Cascade
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Task
from netstitch.tuning import FineTuned, FineTuneSettings, give
from netstitch.tuning.cascade_tuning import taught_cascade
from netstitch.tuning.teachers import Teacher


def tune_cascade(
    supernet: Supernet,
    task: Task,
    point: CascadePoint,
    settings: FineTuneSettings,
    form: NumericsConfig,
    listener: Listener,
    *,
    device: torch.device,
    checkpoint: Path,
) -> tuple[FineTuned, tuple[TunedRow, ...], CascadePoint]:
    """Train a cascade in its supernet, to give a teacher's outputs.

    Return what became of it, what it was worth, and the point that it is now.
    """
    teacher = Teacher(supernet, settings.teacher, task.output, device)
    rule = answer_rule(supernet, task, point.cascade.confidence)

    def measured(cascade: Cascade) -> dict[Split, RunOutcome]:
        listener(StageBegan("measure"))
        found: dict[Split, RunOutcome] = {}
        for part, samples in task.measured.items():
            [found[part]] = run_cascades(
                supernet, rule, samples, [cascade], form, device, MEMORY, advancing(listener)
            )
        return found

    before = measured(point.cascade)
    listener(StageBegan("train"))
    taught = taught_cascade(
        *(supernet, task, point.cascade, teacher, settings),
        device=device,
        checkpoint=checkpoint,
        progress=advancing(listener),
        listener=listener,
    )
    give(supernet, taught.weights)
    after = measured(taught.cascade)
    metrics = [{part: one.metrics for part, one in each.items()} for each in (before, after)]
    return taught.training, tuned_rows(task, *metrics), _point_now(point, taught.cascade, after)


def _point_now(
    point: CascadePoint, cascade: Cascade, after: Mapping[Split, RunOutcome]
) -> CascadePoint:
    """Return the point with what is measured of its cascade now, and nothing that was."""
    shares = {part: one.shares(len(cascade.stages)) for part, one in after.items()}
    costs = np.cumsum(point.stage_costs)
    means = {part: float(np.dot(costs, share)) for part, share in shares.items()}
    found = {part: one.metrics.share for part, one in after.items()}
    return CascadePoint(
        label=point.label,
        cascade=cascade,
        cost=means["validation"],
        worst_cost=point.worst_cost,
        validation=found["validation"],
        confirmation=found.get("confirmation"),
        test=found.get("test"),
        stage_costs=point.stage_costs,
        outputs=point.outputs,
        output=point.output,
        mean_costs=means,
        shares=shares,
        stitches=point.stitches,
    )

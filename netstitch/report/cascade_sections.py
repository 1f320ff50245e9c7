"""The cascades of a report: each stage by stage, with a threshold that can be moved."""

from dataclasses import dataclass

import numpy as np

from netstitch.analysis import CascadePoint, Front
from netstitch.drawing.chart import Chart, Series
from netstitch.records.run_record import RunRecord
from netstitch.report.network_sections import errors_of
from netstitch.report.point_table import Cell, cells_of, in_costs, on_samples, share_of
from netstitch.report.run_charts import marks_of
from netstitch.stitching.cascade import CascadeStage, Confidence
from netstitch.stitching.exit import Exit
from netstitch.stitching.sections import stage_compositions
from netstitch.stitching.subnetwork_drawing import drawing
from netstitch.stitching.wording import stage_in_words
from netstitch.text import command

CONFIDENCES: dict[Confidence, str] = {
    "probability": "the largest probability",
    "margin": "the largest probability minus the second",
    "entropy": "1 minus the entropy over its largest value",
    "agreement": "the agreement with the output computed before",
}
"""The confidence in an answer, in words."""


@dataclass(frozen=True)
class ShownStage:
    """A stage of a cascade: its name, what it computes and whom it answers, and its picture."""

    title: str
    text: str
    drawing: str


@dataclass(frozen=True)
class ShownCurve:
    """The threshold of the first stage, as it can be moved.

    Attributes:
        chart: Accuracy against mean cost; its last series is one mark, at the threshold chosen.
        at: Index of the threshold that the cascade has.
        told: What each threshold gives, in words; its place is in the chart's first series.
    """

    chart: Chart
    at: int
    told: list[str]


@dataclass(frozen=True)
class ShownCascade:
    """A cascade of the front or a plain one, as the page shows it.

    Attributes:
        share: Its mean cost in percent of the ensemble's, as `accuracy` on validation samples is.
        reference: It is a plain one.
        cells: Its row of the table, behind the label.
    """

    label: str
    words: str
    summary: str
    command: str
    stages: list[ShownStage]
    curve: ShownCurve | None
    share: float
    accuracy: float
    reference: bool
    cells: list[Cell]


def shown_cascades(run: RunRecord) -> list[ShownCascade]:
    """Return the plain cascades and the cascades of the front as the page shows them."""
    front = run.front
    return [_shown(run, point) for point in (*front.plain_cascades, *front.cascades)]


def _shown(run: RunRecord, point: CascadePoint) -> ShownCascade:
    front, words = run.front, ", then ".join(point.outputs)
    measured = run.measured and point in front.cascades
    return ShownCascade(
        point.label,
        words,
        f"{in_costs(front, point.cost)} in the mean, {in_costs(front, point.worst_cost)} where all "
        f"stages run; {on_samples(point)}. Confidence is {CONFIDENCES[point.cascade.confidence]}.",
        command("export", run.folder, "--point", point.label) if measured else "",
        _stages(run, point),
        _curve(front, point) if point.curve else None,
        100 * (share_of(front, point.cost) or 0.0),
        100 * point.validation,
        point in front.plain_cascades,
        cells_of(front, point, words),
    )


def _stages(run: RunRecord, point: CascadePoint) -> list[ShownStage]:
    stages = point.cascade.stages
    made = stage_compositions(run.structure, [_selected(stage) for stage in stages])
    errors, names = errors_of(run), run.structure.names
    return [
        ShownStage(
            f"Stage {index + 1}: {point.outputs[index]}",
            _stage_text(run.front, point, index, stage_in_words(each, names, first=index == 0)),
            drawing(each, names, errors, f"{point.label}, stage {index + 1}"),
        )
        for index, each in enumerate(made)
    ]


def _selected(stage: CascadeStage) -> np.ndarray | Exit:
    chosen = stage.subnetwork
    return chosen if isinstance(chosen, Exit) else np.array(chosen, np.int64)


def _stage_text(front: Front, point: CascadePoint, index: int, made: str) -> str:
    """Return words on a stage: its layers, their cost, and the samples that it answers."""
    stage, last = point.cascade.stages[index], front.parts[-1]
    more = "" if index == 0 else " more"
    text = f"It {made}. That is {in_costs(front, point.stage_costs[index])}{more}."
    if stage.answer == "mean":
        text += " It answers with the mean of the networks' outputs so far."
    shares = point.shares.get(last)
    answered = f"{shares[index]:.0%} of {last} samples" if shares else "samples"
    if stage.threshold is None:
        return (
            f"{text} It answers the rest, {answered}." if shares else f"{text} It answers the rest."
        )
    return f"{text} It answers {answered}, with a confidence of {stage.threshold:.4g} or more."


def _curve(front: Front, point: CascadePoint) -> ShownCurve:
    thresholds, accuracies, costs = zip(*point.curve, strict=True)
    own = point.cascade.thresholds[0]
    at = min(range(len(thresholds)), key=lambda index: abs(thresholds[index] - own))
    told = [
        f"threshold {threshold:.4g}: {100 * accuracy:.2f} % of validation samples right at "
        f"{in_costs(front, cost)} in the mean"
        for threshold, accuracy, cost in point.curve
    ]
    series = (
        Series("first stage's threshold", costs, accuracies, hover=told),
        marks_of("reference", front.references, lambda one: one.validation, "reference"),
        Series("chosen here", [costs[at]], [accuracies[at]], "marks", style=2),
    )
    axes = f"mean {front.cost_label}", f"{front.measure}, validation"
    return ShownCurve(Chart(*axes, series, from_zero=False), at, told)

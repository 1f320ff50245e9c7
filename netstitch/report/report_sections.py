"""What a report tells below the front, section by section, on the page and on paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netstitch.analysis.front_chart import Floor, accuracy_floor
from netstitch.drawing.chart import Bars, Chart
from netstitch.records.run_record import RunRecord
from netstitch.report.calibration_charts import (
    calibration_chart,
    cross_entropy_chart,
    reliability_chart,
)
from netstitch.report.search_charts import (
    errors_chart,
    hypervolume_charts,
    known_chart,
    stitches_chart,
)


@dataclass(frozen=True)
class ReportSection:
    """A title, what its charts show in words, and these by their captions.

    name: an identifier. table: a header and rows, where there is one.
    """

    name: str
    title: str
    text: str
    charts: Mapping[str, Chart | Bars]
    table: Sequence[Sequence[str]] = ()


def sections_of(run: RunRecord, floor: Floor = "tenth") -> list[ReportSection]:
    """The sections that there is something to tell in; floor: as of `write_page`."""
    every = (_hypervolume(run, floor), _calibration(run), *_stitches(run), _time(run))
    return [section for section in every if section is not None]


def _hypervolume(run: RunRecord, floor: Floor) -> ReportSection | None:
    if run.evaluations is None or not len(run.evaluations):
        return None
    floors = [0.0]
    if run.front.references and run.scored in (run.front.objective, run.front.measure):
        floors.append(
            accuracy_floor(run.front.references or run.front.points, ["validation"], floor)
        )
    distinct = list(dict.fromkeys(floors))
    count, time = hypervolume_charts(run.evaluations, _ensemble_cost(run), distinct)
    return ReportSection(
        "hypervolume",
        "How the search went",
        "The hypervolume on validation samples: the area that the networks found so far dominate, "
        f"in units of the ensemble's multiply-adds, over a least {run.scored}. It counts networks "
        "up to the ensemble's cost.",
        {"Over evaluations": count, "Over time": time},
    )


def _calibration(run: RunRecord) -> ReportSection | None:
    part = run.front.parts[-1]
    if not any(part in point.calibration for point in run.front.references):
        return None
    points = run.front.references, run.front.points
    return ReportSection(
        "calibration",
        "Calibration",
        f"Whether networks are right as often as they say, on {part} samples: the confidence in "
        "the predicted class against the share of predictions that are right. The expected "
        "calibration error is the mean distance of the two over 15 bins of equal width, by their "
        "predictions. The cross-entropy, in nats, is what being sure of what is wrong costs. Click "
        "a name under the diagram to show that network.",
        {
            "Reliability diagrams": reliability_chart(*points, part),
            "Expected calibration error": calibration_chart(*points, part),
            "Cross-entropy": cross_entropy_chart(*points, part),
        },
    )


def _stitches(run: RunRecord) -> list[ReportSection | None]:
    used = ReportSection(
        "stitches",
        "Stitches in use, and what was known",
        "Of the networks evaluated: how many stitches they may use, and how many their output "
        "depends on. A proposal that comes to a network that was evaluated before is known.",
        {
            "Potential and active stitches": stitches_chart(run.history),
            "Proposals that were known": known_chart(run.history),
        },
    )
    errors = ReportSection(
        "errors",
        "Stitches",
        "How far what a stitch makes is from the features that it replaces, on samples that it was "
        "not fitted on, relative to the features' variance: 0 is perfect, 1 is the best constant. "
        "Before refining, where that was asked for.",
        {"Error by depth": errors_chart(run.stitches)},
    )
    return [used if run.history else None, errors if run.stitches else None]


def _time(run: RunRecord) -> ReportSection | None:
    seconds = run.document.seconds
    if not seconds:
        return None
    return ReportSection(
        "time", "Time", "Seconds of each step.", {"By step": Bars("seconds", seconds)}
    )


def _ensemble_cost(run: RunRecord) -> int:
    """Multiply-adds of the ensemble, or of all networks together where it is no choice."""
    ensemble = run.front.ensemble
    if ensemble is not None:
        return ensemble.multiply_adds
    return sum(graph.multiply_adds for graph in run.structure.graphs)

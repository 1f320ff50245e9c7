"""The sections of a report below the front, on the page and on paper."""

from collections.abc import Iterator, Mapping, Sequence
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

    Attributes:
        name: An identifier.
        table: A header and rows, where there is one.
    """

    name: str
    title: str
    text: str
    charts: Mapping[str, Chart | Bars]
    table: Sequence[Sequence[str]] = ()


def sections_of(run: RunRecord, floor: Floor = "tenth") -> list[ReportSection]:
    """Return the sections that there is something to tell in; floor: as of `write_page`."""
    return [*_hypervolume(run, floor), *_calibration(run), *_stitches(run), *_time(run)]


def _hypervolume(run: RunRecord, floor: Floor) -> Iterator[ReportSection]:
    if run.evaluations is None or not len(run.evaluations):
        return
    front, floors = run.front, [0.0]
    if front.references and run.scored in (front.objective, front.measure):
        floors.append(accuracy_floor(front.references, ["validation"], floor))
    distinct = list(dict.fromkeys(floors))
    count, time = hypervolume_charts(run.evaluations, front.ensemble_cost, distinct)
    yield ReportSection(
        "hypervolume",
        "How the search went",
        "The hypervolume on validation samples: the area that the networks found so far dominate, "
        f"in units of the ensemble's {front.cost_name}, over a least {run.scored}. It counts "
        "networks up to the ensemble's cost.",
        {"Over evaluations": count, "Over time": time},
    )


def _calibration(run: RunRecord) -> Iterator[ReportSection]:
    front, part = run.front, run.front.parts[-1]
    if any(part in point.calibration for point in front.references):
        yield ReportSection(
            "calibration",
            "Calibration",
            f"Whether networks are right as often as they say, on {part} samples: the confidence "
            "in the predicted class against the share of predictions that are right. The expected "
            "calibration error is the mean distance of the two over 15 bins of equal width, by "
            "their predictions. The cross-entropy, in nats, is what being sure of what is wrong "
            "costs. Click a name under the diagram to show that network.",
            {
                "Reliability diagrams": reliability_chart(front, part),
                "Expected calibration error": calibration_chart(front, part),
                "Cross-entropy": cross_entropy_chart(front, part),
            },
        )


def _stitches(run: RunRecord) -> Iterator[ReportSection]:
    if run.history:
        yield ReportSection(
            "stitches",
            "Stitches in use, and what was known",
            "Of the networks evaluated: how many stitches they may use, and how many their output "
            "depends on. A proposal that comes to a network that was evaluated before is known.",
            {
                "Potential and active stitches": stitches_chart(run.history),
                "Proposals that were known": known_chart(run.history),
            },
        )
    if run.stitches:
        yield ReportSection(
            "errors",
            "Stitches",
            "How far what a stitch makes is from the features that it replaces, on samples that it "
            "was not fitted on, relative to the features' variance: 0 is perfect, 1 is the best "
            "constant. Before refining, where that was asked for.",
            {"Error by depth": errors_chart(run.stitches)},
        )


def _time(run: RunRecord) -> Iterator[ReportSection]:
    if seconds := run.document.seconds:
        chart = Bars("seconds", seconds)
        yield ReportSection("time", "Time", "Seconds of each step.", {"By step": chart})

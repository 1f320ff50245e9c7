"""The sections of a report below the front, on the page and as figures for a paper."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from netstitch.analysis import FrontPoint, front_figure
from netstitch.analysis.front_chart import Floor
from netstitch.analysis.hypervolume import REACH, ReferencePoint, reference_points
from netstitch.drawing.chart import Bars, Chart
from netstitch.drawing.matplotlib_chart import print_chart
from netstitch.drawing.print_style import FORMATS
from netstitch.drawing.theme import Columns
from netstitch.files.folders import new_folder
from netstitch.optimization.search_result import REASONS
from netstitch.records.run_record import RunRecord
from netstitch.report.hypervolume_table import hypervolume_table
from netstitch.report.run_charts import (
    chart_against_cost,
    errors_chart,
    hypervolume_charts,
    known_chart,
    reliability_chart,
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

    def print_charts(self, folder: Path, formats: Sequence[str], columns: Columns = 1) -> list[str]:
        """Write each chart in each format; return the files' names without endings."""
        names = [f"{self.name}-{index}" for index in range(len(self.charts))]
        for name, chart in zip(names, self.charts.values(), strict=True):
            for form in formats:
                print_chart(chart, folder / f"{name}.{form}", columns=columns)
        return names


def write_figures(
    run: RunRecord,
    folder: Path,
    *,
    floor: Floor = "tenth",
    formats: Sequence[str] = FORMATS,
    columns: Columns = 1,
) -> tuple[str, ...]:
    """Write the figures of a run into a new folder; return their names without endings.

    Fronts show accuracies from `floor` on. Figures are as wide as so many of a paper's two columns;
    the front is there in both widths, `front-1` and `front-2`.

    Raises:
        StorageError: The folder is not new or cannot be written; nothing is left.
    """
    names = []
    with new_folder(folder) as partial:
        if run.front.points or run.front.references:
            widths: tuple[Columns, ...] = (1, 2)
            for width in widths:
                names.append(f"front-{width}")
                for form in formats:
                    path = partial / f"{names[-1]}.{form}"
                    front_figure(run.front, path, floor=floor, columns=width)
        for section in sections_of(run, floor):
            names += section.print_charts(partial, formats, columns)
    return tuple(names)


def sections_of(run: RunRecord, floor: Floor = "tenth") -> list[ReportSection]:
    """Return the sections that there is something to tell in; floor: as of `write_page`."""
    return [
        *_volumes(run, floor),
        *_hypervolume(run, floor),
        *_calibration(run),
        *_stitches(run),
        *_time(run),
    ]


def _volumes(run: RunRecord, floor: Floor) -> Iterator[ReportSection]:
    front = run.front
    if front.ensemble is None:
        return
    yield ReportSection(
        "hypervolumes",
        "Hypervolumes",
        "The area that points dominate, in units of the ensemble's "
        f"{front.cost_name} and up to {REACH:g} times it; cascades count with their mean cost.",
        {},
        hypervolume_table(front, floor),
    )


def _hypervolume(run: RunRecord, floor: Floor) -> Iterator[ReportSection]:
    if not len(run.evaluations):
        return
    front = run.front
    points: Sequence[ReferencePoint] = [ReferencePoint(front.ensemble_cost)]
    if front.references and run.scored_as_front:
        points = list(dict.fromkeys(reference_points([front], floor)))
    count, time = hypervolume_charts(run.evaluations, points)
    yield ReportSection(
        "hypervolume",
        "How the search went",
        "The hypervolume on validation samples: the area that the networks found so far dominate, "
        f"in units of the ensemble's {front.cost_name}, over a least {run.scored}, and up to "
        f"{REACH:g} times the ensemble's cost.",
        {"Over evaluations": count, "Over time": time},
    )


def _calibration(run: RunRecord) -> Iterator[ReportSection]:
    front, part = run.front, run.front.parts[-1]
    if not any(part in point.calibration for point in front.references):
        return

    def error(point: FrontPoint) -> float | None:
        found = point.calibration.get(part)
        return None if found is None else found.error

    def error_of_ten_bins(point: FrontPoint) -> float | None:
        found = point.calibration.get(part)
        return None if found is None else found.error_of_ten_bins

    yield ReportSection(
        "calibration",
        "Calibration",
        f"Whether networks are right as often as they say, on {part} samples: the confidence "
        "in the predicted class against the share of predictions that are right. The expected "
        "calibration error is the mean distance of the two over 15 bins of equal width, by "
        "their predictions; the paper's bins are ten, of width 0.1. The cross-entropy, in nats, is "
        "what being sure of what is wrong costs. Click a name under the diagram to show that "
        "network.",
        {
            "Reliability diagrams": reliability_chart(front, part),
            "Expected calibration error": chart_against_cost(
                "expected calibration error", front, error
            ),
            "Cross-entropy": chart_against_cost(
                "cross-entropy (nats)", front, lambda point: point.cross_entropy.get(part)
            ),
            "Expected calibration error, ten bins of width 0.1": chart_against_cost(
                "expected calibration error, ten bins", front, error_of_ten_bins
            ),
        },
    )


def _stitches(run: RunRecord) -> Iterator[ReportSection]:
    if run.history:
        yield ReportSection(
            "stitches",
            "Stitches in use, and what was known",
            "Of the networks evaluated: how many stitches they may use, and how many their output "
            "depends on. A proposal that comes to a network that was evaluated before is known; "
            "those that the paper skips change nothing active in the genotype that they were made "
            f"from.{_ending(run)}",
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


def _ending(run: RunRecord) -> str:
    """Return words on the proposals that were known, and on the reason why the search ended."""
    outcome = run.document.outcome
    if outcome is None:
        return ""
    return (
        f" Of {outcome.evaluations + outcome.skipped:,} proposals {outcome.skipped:,} were known, "
        f"{outcome.unchanged:,} of them since nothing active changed; the search ended since "
        f"{REASONS[outcome.stopped]}."
    )


def _time(run: RunRecord) -> Iterator[ReportSection]:
    if seconds := run.document.seconds:
        chart = Bars("seconds", seconds)
        yield ReportSection("time", "Time", "Seconds of each step.", {"By step": chart})

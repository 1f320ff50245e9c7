"""The charts of a report as files for a paper."""

from collections.abc import Sequence
from pathlib import Path

from netstitch.analysis import front_figure
from netstitch.analysis.front_chart import Floor
from netstitch.drawing.matplotlib_chart import print_chart
from netstitch.drawing.print_style import FORMATS
from netstitch.drawing.theme import Columns
from netstitch.files.folders import new_folder
from netstitch.records.run_record import RunRecord
from netstitch.report.report_sections import sections_of


def write_figures(
    run: RunRecord,
    folder: Path,
    *,
    floor: Floor = "tenth",
    formats: Sequence[str] = FORMATS,
    columns: Columns = 1,
) -> tuple[str, ...]:
    """Write the figures of a run into a new folder.

    Args:
        run: What to draw.
        folder: Where to.
        floor: The least accuracy that fronts show.
        formats: Some of "png", "pdf", "svg".
        columns: Of a paper's two that a figure is as wide as; the front is there in both widths,
            `front-1` and `front-2`.

    Returns:
        The figures' names, without endings.

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
            for index, chart in enumerate(section.charts.values()):
                names.append(f"{section.name}-{index}")
                for form in formats:
                    print_chart(chart, partial / f"{names[-1]}.{form}", columns=columns)
    return tuple(names)

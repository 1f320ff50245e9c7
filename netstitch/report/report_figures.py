"""Every chart of a report as files for a paper."""

from collections.abc import Sequence
from pathlib import Path

from netstitch.analysis import front_figure
from netstitch.drawing.matplotlib_chart import print_chart
from netstitch.drawing.print_style import FORMATS, Columns
from netstitch.files.folders import new_folder
from netstitch.records.run_record import RunRecord
from netstitch.report.report_sections import Floor, sections_of


def write_figures(
    run: RunRecord,
    folder: Path,
    *,
    floor: Floor = "tenth",
    formats: Sequence[str] = FORMATS,
    columns: Columns = 1,
) -> tuple[str, ...]:
    """Write the figures of a run into a new folder; their names, without endings.

    floor: as of `write_page`. formats: of "png", "pdf", "svg". columns: of a paper's two that a
    figure is as wide as; the front is there in both widths, `front-1` and `front-2`.

    Raises StorageError where the folder is not new or cannot be written, and leaves nothing.
    """
    names = []
    with new_folder(folder) as partial:
        if run.front.points or run.front.references:
            for width in (1, 2):
                names.append(f"front-{width}")
                for form in formats:
                    path = partial / f"{names[-1]}.{form}"
                    front_figure(run.front, path, floor=floor, columns=width)  # type: ignore[arg-type]
        for section in sections_of(run, floor):
            for index, chart in enumerate(section.charts.values()):
                names.append(f"{section.name}-{index}")
                for form in formats:
                    print_chart(chart, partial / f"{names[-1]}.{form}", columns=columns)
    return tuple(names)

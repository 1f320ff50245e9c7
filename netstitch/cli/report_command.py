"""The commands `netstitch report` and `netstitch compare`."""

from pathlib import Path
from typing import Literal

from netstitch.cli.options import Folder, free_folder

FLOORS: dict[str, Literal["tenth", "tight"]] = {"tenth": "tenth", "tight": "tight"}


def report(
    run: Path,
    *,
    floor: str = "tenth",
    output: Folder = None,
    figures: Path | None = None,
    columns: Literal[1, 2] = 1,
) -> None:
    """Write a run as one page of HTML: the front, its networks, and how the search went.

    The page needs nothing beside it and asks the network for nothing. A run that is going on, or
    was stopped, is reported as far as it is.

    Parameters
    ----------
    run: Path
        The folder of a run.
    floor: str
        The accuracy from which fronts are shown first, and over which hypervolumes count too:
        tenth, the worst reference's rounded down to a tenth; tight, just under the references; or a
        number such as 0.7.
    output: Path
        The file to write; by default RUN/report.html.
    figures: Path
        New folder for every chart as PNG, PDF and SVG, for papers.
    columns: int
        Of a paper's two that such a figure is as wide as.
    """
    from netstitch.cli.console import Terminal
    from netstitch.files.folders import check_new
    from netstitch.records import read_run
    from netstitch.report import write_figures, write_page

    path, least = run / REPORT if output is None else output, parse_floor(floor)
    if figures is not None:
        check_new(figures)
    recorded = read_run(run)
    write_page(recorded, path, floor=least)
    if figures is not None:
        write_figures(recorded, figures, floor=least, columns=columns)
    Terminal().print(str(path), soft_wrap=True)


def compare(*runs: Path, floor: str = "tenth", output: Folder = None) -> None:
    """Compare several runs of one task: hypervolume, convergence, attainment, and how sure it is.

    Runs that were asked the same but for their seeds are a group. Writes a page of HTML, tables for
    Markdown and LaTeX, a row of CSV for each run, and every chart as PNG, PDF and SVG.

    Parameters
    ----------
    runs: Path
        The folders of two or more runs.
    floor: str
        The accuracy over which hypervolumes count: tenth, the worst reference's rounded down to a
        tenth; tight, just under the references; or a number such as 0.7.
    output: Path
        New folder; by default netstitch-compare, or the next free number behind it.
    """
    from netstitch.cli.console import Terminal
    from netstitch.cli.show import show_comparison
    from netstitch.files.folders import check_new
    from netstitch.report import read_runs, write_comparison

    folder = free_folder(Path("netstitch-compare")) if output is None else output
    check_new(folder)
    comparison = read_runs(runs, parse_floor(floor))
    write_comparison(comparison, folder)
    show_comparison(comparison)
    Terminal().print(f"\n{folder / 'compare.html'}", soft_wrap=True)


REPORT = "report.html"


def report_on(run: Path) -> None:
    """Write a run's report into its folder, and print where it is."""
    from netstitch.cli.console import Terminal
    from netstitch.records import read_run
    from netstitch.report import write_page

    write_page(read_run(run), run / REPORT)
    Terminal().print(
        f"\nOpen {run / REPORT} in a browser: the front, each network, and how the search went.",
        soft_wrap=True,
    )


def parse_floor(text: str) -> float | Literal["tenth", "tight"]:
    """Return the floor that an option names; raise DataError for any other text."""
    from netstitch.errors import DataError

    if text in FLOORS:
        return FLOORS[text]
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise DataError(
            f"--floor {text!r} is no accuracy; give tenth, tight, or a number from 0 to 1, such as "
            "0.7"
        )
    return value

"""`netstitch compare`."""

from pathlib import Path

from netstitch.cli.options import Folder


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
    from netstitch.cli.places import free_folder
    from netstitch.cli.reporting import parse_floor
    from netstitch.cli.show import show_comparison
    from netstitch.cli.terminal import Terminal
    from netstitch.folders import check_new
    from netstitch.report import read_runs, write_comparison

    folder = free_folder(Path("netstitch-compare")) if output is None else output
    check_new(folder)
    comparison = read_runs(runs, parse_floor(floor))
    write_comparison(comparison, folder)
    show_comparison(comparison)
    Terminal().print(f"\n{folder / 'compare.html'}", highlight=False, soft_wrap=True)

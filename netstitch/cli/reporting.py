"""`netstitch report`."""

from pathlib import Path

from netstitch.cli.options import Folder


def report(run: Path, *, floor: str = "tenth", output: Folder = None) -> None:
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
    """
    from rich.console import Console as Terminal

    from netstitch.report import read_run, write_page

    path = run / "report.html" if output is None else output
    write_page(read_run(run), path, floor=parse_floor(floor))
    Terminal().print(str(path), highlight=False, soft_wrap=True, markup=False)


def parse_floor(text: str) -> str | float:
    """The floor that is meant; raises DataError for none."""
    from netstitch.errors import DataError

    if text in ("tenth", "tight"):
        return text
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

"""How figures for papers look, and how they become files: PNG, PDF and SVG, equal each time."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.figure import Figure

from netstitch.errors import DataError
from netstitch.files.folders import write_bytes
from netstitch.text import unit_and_scale

DOTS_PER_INCH = 200
FORMATS = ("png", "pdf", "svg")

Columns = Literal[1, 2]
WIDTHS: dict[Columns, float] = {1: 3.33, 2: 7.0}
"""Inches of one and of two columns of a paper of two (ACM's templates)."""

# Okabe and Ito's colours, told apart with every kind of colour vision; shapes say the same again.
STYLES = (("#0072B2", "o"), ("#009E73", "s"), ("#CC79A7", "D"), ("#56B4E9", "^"), ("#999999", "v"))
REFERENCE, LINE = "#B23A00", "#555555"

_SETTINGS: dict[Any, Any] = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8.5,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    # Letters as letters, which papers ask for and searches find.
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "netstitch",
}


@contextmanager
def print_style(paper: bool = True) -> Iterator[None]:
    """Inside, figures are drawn as for a paper, or for a screen; names may hold a dollar sign."""
    with mpl.rc_context({"text.parse_math": False, **(_SETTINGS if paper else {})}):
        yield


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of its file's name, whole or not at all.

    Raises DataError for another format, StorageError when the file cannot be written.
    """
    form = path.suffix.removeprefix(".").lower()
    if form not in FORMATS:
        raise DataError(
            f"{path} is no figure that can be written; expected a name that ends in "
            f"{', '.join(f'.{each}' for each in FORMATS)}"
        )
    write_bytes(path, _rendered(figure, form))


def svg_of(figure: Figure) -> str:
    """A figure as an SVG element, to stand in a page."""
    text = _rendered(figure, "svg").decode()
    return text[text.index("<svg") :]


def _rendered(figure: Figure, form: str) -> bytes:
    """A figure's file, without the time of writing, so that equal figures are equal files."""
    metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": None}[form]
    image = io.BytesIO()
    with mpl.rc_context({key: _SETTINGS[key] for key in ("pdf.fonttype", "svg.hashsalt")}):
        figure.savefig(image, format=form, dpi=DOTS_PER_INCH, metadata=metadata)
    return image.getvalue()


def unit_of(multiply_adds: int) -> tuple[str, float]:
    """Return what an axis up to so many multiply-adds says behind them, and their divisor."""
    unit, scale = unit_and_scale(multiply_adds)
    return f" ({unit})" if unit else "", scale

"""The style of figures for papers, and figures as files: PNG, PDF and SVG, equal each time."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from netstitch.errors import DataError
from netstitch.files.folders import write_bytes

DOTS_PER_INCH = 200
FORMATS = ("png", "pdf", "svg")

_SETTINGS: dict[Any, object] = {
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
    """Draw figures inside as for a paper, or for a screen; names may hold a dollar sign."""
    with mpl.rc_context({"text.parse_math": False, **(_SETTINGS if paper else {})}):
        yield


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of its file's name, whole or not at all.

    Raises:
        DataError: The file's name ends in no known format.
        StorageError: The file cannot be written.
    """
    form = path.suffix.removeprefix(".").lower()
    if form not in FORMATS:
        raise DataError(
            f"{path} is no figure that can be written; expected a name that ends in "
            f"{', '.join(f'.{each}' for each in FORMATS)}"
        )
    write_bytes(path, _rendered(figure, form))


def svg_of(figure: Figure) -> str:
    """Return a figure as an SVG element, to stand in a page."""
    text = _rendered(figure, "svg").decode()
    return text[text.index("<svg") :]


def _rendered(figure: Figure, form: str) -> bytes:
    """Return a figure's file without the time of writing, so that equal figures are equal files."""
    metadata = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": None}[form]
    image = io.BytesIO()
    with mpl.rc_context({key: _SETTINGS[key] for key in ("pdf.fonttype", "svg.hashsalt")}):
        figure.savefig(image, format=form, dpi=DOTS_PER_INCH, metadata=metadata)
    return image.getvalue()

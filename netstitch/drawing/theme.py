"""Colours, shapes and sizes of charts, told apart with every kind of colour vision."""

from typing import Literal

STYLES = (
    ("#0072B2", "o", "circle"),
    ("#009E73", "s", "square"),
    ("#CC79A7", "D", "diamond"),
    ("#56B4E9", "^", "triangle-up"),
    ("#999999", "v", "triangle-down"),
)
"""A colour (Okabe and Ito's), and a shape as matplotlib and as plotly name it."""

REFERENCE, REFERENCE_ON_PAGE = "#B23A00", "#D55E00"
"""Reference networks; darker on paper, where their labels are text on white."""

LINE, LINE_ON_PAGE = "#555555", "#8A8A8A"
"""Boundaries and guides; of middle brightness on a page, which may be light or dark."""

SHADE, SHADE_EDGE = "#FCE9D0", "#E69F00"
"""The region in which a reference is dominated, and its edge."""

Columns = Literal[1, 2]
WIDTHS: dict[Columns, float] = {1: 3.33, 2: 7.0}
"""Inches of one and of two columns of a paper of two (ACM's templates)."""


def style_of(index: int) -> tuple[str, str, str]:
    """Return the colour and the shapes of a series.

    Where colours come again, each has another shape; the pairs repeat after all of them.
    """
    count = len(STYLES)
    colour, *_ = STYLES[index % count]
    _, paper, page = STYLES[(index + index // count) % count]
    return colour, paper, page

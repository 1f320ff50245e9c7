"""A chart as data, which `plotly_chart` draws on a page and `matplotlib_chart` on paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from netstitch.drawing.theme import style_of

SeriesKind = Literal["steps", "line", "marks"]
"""A line that stays until the next x, a line with marks, and marks with nothing between them."""

Emphasis = Literal[
    "plain", "thin", "dotted", "dashed", "guide", "boundary", "reference", "faded", "cloud"
]
"""The emphasis of a series.

plain, dotted, dashed: in the colour of its style. thin: the same, for a line that is one of many.
guide: a dotted grey line to compare with. boundary: a thin grey line. reference: crosses of the
networks that went in. faded: small and pale, in the colour of its style. cloud: a background of
tiny grey marks.
"""


@dataclass(frozen=True)
class Series:
    """One line, or one kind of marks.

    Attributes:
        name: In the legend, which has series of one name once.
        style: Index of a colour and shape.
        low: Lower ends of a band around the line, or nothing; `high` are the upper ones.
        labels: Written beside the marks, or nothing.
        hover: Said of each mark under the mouse, in lines; or nothing.
        keys: A name of each mark, for the page that the chart stands on; or nothing.
        shown: From the start; otherwise once it is chosen in the legend of a page.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    kind: SeriesKind = "line"
    style: int = 0
    emphasis: Emphasis = "plain"
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    labels: Sequence[str] = ()
    hover: Sequence[str] = ()
    keys: Sequence[str] = ()
    shown: bool = True

    def colour(self, reference: str, line: str) -> str:
        """Return that of its style, or those given of reference networks and of grey lines."""
        if self.emphasis == "reference":
            return reference
        return line if self.emphasis in ("guide", "boundary", "cloud") else style_of(self.style)[0]


@dataclass(frozen=True)
class Chart:
    """Series over common axes.

    Attributes:
        x: Title of the axis, as `y`.
        series: In the order of the legend.
        x_range: Fixed limits, as `y_range`.
        from_zero: The y axis begins at 0.
        percent: The y values are shares, shown in percent.
        title: Above it, where it is one of several.
        regions: Corners (x, y) of shaded regions: all with less x and more y.
        region: Name of the regions in the legend.
    """

    x: str
    y: str
    series: tuple[Series, ...]
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    from_zero: bool = True
    percent: bool = False
    title: str = ""
    regions: tuple[tuple[float, float], ...] = ()
    region: str = ""


@dataclass(frozen=True)
class Bars:
    """Amounts by name, one below the other; x is the title of their axis."""

    x: str
    amounts: dict[str, float]

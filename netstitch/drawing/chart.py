"""A chart as data, which `interactive.py` draws on a page and `printed.py` on paper."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["steps", "line", "marks"]


@dataclass(frozen=True)
class Series:
    """One line, or one kind of marks.

    name: in the legend. x, y: of equal lengths. kind: "steps" stays until the next x, "line" has
    marks too, "marks" nothing between them. style: index of a colour and shape. faint: a dotted
    line that others are compared with. dotted: a dotted one of its own style. low, high: of each x
    the ends of a band around the line, where it has one. reference: of the networks that went in.
    told: of each mark what is said of it. shown: whether from the start, or once it is chosen in
    the legend.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    kind: Kind = "line"
    style: int = 0
    faint: bool = False
    dotted: bool = False
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    reference: bool = False
    told: Sequence[str] = ()
    shown: bool = True


@dataclass(frozen=True)
class Chart:
    """Series over common axes.

    x, y: what the axes say. x_range, y_range: fixed limits. from_zero: whether y begins at 0.
    percent: whether y is a share, told in percent.
    """

    x: str
    y: str
    series: tuple[Series, ...]
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    from_zero: bool = True
    percent: bool = False


@dataclass(frozen=True)
class Bars:
    """Named amounts, one below the other. x: what they are."""

    x: str
    amounts: dict[str, float] = field(default_factory=dict)

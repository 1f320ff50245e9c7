"""Matches of any number of networks, and matchings, as data."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from netstitch.matching.matching_drawing import matching_svg


@dataclass(frozen=True)
class Match:
    """Points that may replace one another, one of each network at most.

    Attributes:
        points: a node's name for each network, None where it takes no part.
    """

    points: tuple[str | None, ...]

    @property
    def members(self) -> dict[int, str]:
        """The points by the index of their network."""
        return {index: name for index, name in enumerate(self.points) if name is not None}


@dataclass(frozen=True)
class Matching:
    """Matches in an order in which their merged graph can be computed.

    Attributes:
        matches: the matches.
        weight: the sum of the matches' weights; for the plain count, their number.
        upper_bound: no acyclic matching weighs more; equal to `weight` where it is exact.
        method: the algorithm that found it, in words.
        names: of the networks, where known.
        depths: for each match the share of its networks' multiply-adds that is computed by its
            points, which notebooks draw; empty where not known.
    """

    matches: tuple[Match, ...]
    weight: float
    upper_bound: float
    method: str
    names: tuple[str, ...] = field(default=(), compare=False, repr=False)
    depths: tuple[tuple[float | None, ...], ...] = field(default=(), compare=False, repr=False)

    def __iter__(self) -> Iterator[Match]:
        return iter(self.matches)

    def __len__(self) -> int:
        return len(self.matches)

    @property
    def exact(self) -> bool:
        """No acyclic matching weighs more."""
        return self.weight >= self.upper_bound

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the number of matches, the bound, and the points."""
        bound = "the maximum" if self.exact else f"at most {self.upper_bound:g} is possible"
        rows = "".join(
            f"<tr><td>{index}</td>{_cells(match)}</tr>" for index, match in enumerate(self.matches)
        )
        head = "".join(f"<th>{escape(name)}</th>" for name in self.names)
        rows = (f"<tr><th></th>{head}</tr>" if head else "") + rows
        return (
            f"<p>{len(self)} matches of weight {self.weight:g} ({bound}), by {escape(self.method)}"
            f"</p>{matching_svg(self) if self.depths else ''}<div"
            f' style="max-height: 24em; overflow: auto"><table>{rows}</table></div>'
        )


def _cells(match: Match) -> str:
    return "".join(f"<td>{escape(point or '')}</td>" for point in match.points)

"""Matches and matchings as data."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape

from netstitch.matching.matching_drawing import matching_svg


@dataclass(frozen=True)
class Match:
    """Points that may replace one another: a node name per network, None where it takes no part."""

    points: tuple[str | None, ...]


@dataclass(frozen=True)
class Matching:
    """Matches in an order in which their merged graph can be computed.

    weight: the sum of the matches' weights; for the plain count, their number.
    upper_bound: no acyclic matching weighs more; equal to `weight` where the matching is exact.
    method: how it was found, in words ("dynamic programme", ...).
    names, depths: of the networks, and by match of its points, the share of their networks'
        multiply-adds that is computed by then; what a notebook draws, where it is known.
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
        return self.weight >= self.upper_bound

    def _repr_html_(self) -> str:
        """In a notebook: how many there are, how good that is, and which points they join."""
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

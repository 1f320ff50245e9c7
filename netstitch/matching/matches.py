"""Matches of any number of networks, and matchings, as data and as a picture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from itertools import pairwise

from netstitch.drawing.lanes import Line, lines_svg
from netstitch.networks.counting import spans
from netstitch.networks.graph import Graph


@dataclass(frozen=True)
class Match:
    """Points that may replace one another, one of each network at most.

    Attributes:
        points: a node's name for each network, None where it takes no part.
        directions: pairs of networks, source and target, between which stitches are made; None for
            every two of those that take part.
    """

    points: tuple[str | None, ...]
    directions: tuple[tuple[int, int], ...] | None = None

    @property
    def members(self) -> dict[int, str]:
        """The points by the index of their network."""
        return {index: name for index, name in enumerate(self.points) if name is not None}


@dataclass(frozen=True)
class Matching:
    """Matches in an order in which their merged graph can be computed.

    Attributes:
        matches: the matches.
        weight: the sum of the weights of all pairs that matches join; for the plain count, the
            number of these, which for two networks is that of the matches.
        upper_bound: no acyclic matching weighs more; equal to `weight` where it is exact. For more
            than two networks the sum of the maxima of all pairs, which may be out of reach.
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

    @property
    def directions(self) -> tuple[tuple[tuple[int, int], ...] | None, ...] | None:
        """The directions of each match; None where all of them have all."""
        found = tuple(match.directions for match in self.matches)
        return None if found == (None,) * len(found) else found

    def placed(self, names: Sequence[str], graphs: Sequence[Graph]) -> "Matching":
        """Return the matching with what it takes to draw it: names, and how deep points lie."""
        ends = [{name: end for name, (_, end) in spans(graph).items()} for graph in graphs]
        depths = tuple(
            tuple(
                None if point is None else own[point]
                for point, own in zip(match.points, ends, strict=True)
            )
            for match in self.matches
        )
        return replace(self, names=tuple(names), depths=depths)

    def svg(self) -> str:
        """Return a picture of a matching that is `placed`, as an SVG.

        Along the lane of a network its multiply-adds count in the order of computation.
        """
        lines = []
        for match, depths in zip(self.matches, self.depths, strict=True):
            title = ", ".join(f"{self.names[lane]} {p}" for lane, p in match.members.items())
            known = [(lane, depth) for lane, depth in enumerate(depths) if depth is not None]
            for (upper, start), (lower, end) in pairwise(known):
                lines.append(Line((upper, lower), (start, end), title))
        return lines_svg(self.names, lines, f"{len(self.matches)} matches")

    def _repr_html_(self) -> str:
        """Return HTML for notebooks: the number of matches, the bound, and the points."""
        bound = "the maximum" if self.exact else f"at most {self.upper_bound:g} is possible"
        head = "".join(f"<th>{escape(name)}</th>" for name in self.names)
        rows = [f"<tr><th></th>{head}</tr>"] if head else []
        for index, match in enumerate(self.matches):
            cells = "".join(f"<td>{escape(point or '')}</td>" for point in match.points)
            rows.append(f"<tr><td>{index}</td>{cells}</tr>")
        return (
            f"<p>{len(self)} matches of weight {self.weight:g} ({bound}), by {escape(self.method)}"
            f"</p>{self.svg() if self.depths else ''}<div"
            f' style="max-height: 24em; overflow: auto"><table>{"".join(rows)}</table></div>'
        )

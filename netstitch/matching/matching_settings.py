"""Settings of matching: which points are joined, and what is maximised."""

from typing import ClassVar, Literal, get_args

from netstitch.errors import MatchingError
from netstitch.files.settings import Settings

Points = Literal["all", "distinct"]
MatchingObjective = Literal["count", "balanced"]
POINTS: tuple[Points, ...] = get_args(Points)
OBJECTIVES: tuple[MatchingObjective, ...] = get_args(MatchingObjective)

INSTEAD = (
    "it was removed: give 'count' or 'balanced', or weights of your own in Python, "
    "ns.match(a, b, weights=...)"
)


class MatchingSettings(Settings):
    """The choice of points that are joined."""

    refusal = MatchingError
    removed: ClassVar = {("objective", word): INSTEAD for word in ("stitchability", "savings")}

    points: Points = "distinct"
    """'distinct', which takes points that differ by an affine map for one, such as a convolution
    and its batch norm, or 'all'."""
    objective: MatchingObjective = "count"
    """The aim of the matching: 'count', the pairs of points that are joined, or 'balanced', pairs
    at like shares of their networks' multiply-adds."""

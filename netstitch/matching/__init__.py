"""Matching: points of trained networks that may replace one another, all at once.

`match` makes a Matching of networks; `maximum_acyclic_matching` is the bare solver below it, for
any two acyclic graphs and any non-negative weights; `is_acyclic` verifies a result;
`equivalence_classes` finds points that differ by an affine map of each channel.
"""

from netstitch.matching.acyclic.partial_order import is_acyclic
from netstitch.matching.acyclic.solver import AcyclicMatching, maximum_acyclic_matching
from netstitch.matching.compatibility import compatible
from netstitch.matching.equivalence import equivalence_classes
from netstitch.matching.match_networks import match
from netstitch.matching.matches import Match, Matching
from netstitch.matching.matching_settings import OBJECTIVES, POINTS, MatchingSettings

__all__ = [
    "OBJECTIVES",
    "POINTS",
    "AcyclicMatching",
    "Match",
    "Matching",
    "MatchingSettings",
    "compatible",
    "equivalence_classes",
    "is_acyclic",
    "match",
    "maximum_acyclic_matching",
]

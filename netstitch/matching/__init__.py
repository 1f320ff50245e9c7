"""Which points of trained networks may replace one another, all at once.

`match` takes networks and gives a Matching; `maximum_acyclic_matching` is the bare solver under
it, for any two acyclic graphs and any non-negative weights; `is_acyclic` verifies a result.
`affine_chains` are the points that differ by an affine map.
"""

from netstitch.matching.chains import affine_chains
from netstitch.matching.compatibility import compatible
from netstitch.matching.match import Match, Matching
from netstitch.matching.networks import match
from netstitch.matching.objectives import OBJECTIVES, POINTS
from netstitch.matching.order import is_acyclic
from netstitch.matching.solver import AcyclicMatching, maximum_acyclic_matching

__all__ = [
    "OBJECTIVES",
    "POINTS",
    "AcyclicMatching",
    "Match",
    "Matching",
    "affine_chains",
    "compatible",
    "is_acyclic",
    "match",
    "maximum_acyclic_matching",
]

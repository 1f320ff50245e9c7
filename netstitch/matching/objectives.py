"""What a matching maximises: a weight for each pair of points that may be matched.

The paper maximises the number of matches (its section 3) and blames where they lie for its
staircase fronts (its section 8): runs of layers without a match are in a network or out of it as a
whole. The other objectives say which matches are worth more.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from netstitch.errors import MatchingError
from netstitch.matching.shares import optional_shares, shares_before
from netstitch.matching.translation import Progress, stitchability
from netstitch.networks.functions import nearest
from netstitch.networks.graph import Graph, Node
from netstitch.networks.inputs import Batch
from netstitch.networks.network import Network

COUNT, BALANCED, STITCHABILITY, SAVINGS = "count", "balanced", "stitchability", "savings"
OBJECTIVES = (COUNT, BALANCED, STITCHABILITY, SAVINGS)
MEASURED = (STITCHABILITY, SAVINGS)
"""Objectives that need batches of inputs."""

ALL, DISTINCT = "all", "distinct"
POINTS = (ALL, DISTINCT)

LEAST = 1e-6

Weight = Callable[[Node, Node], float]


def check_choices(points: str, objective: str) -> None:
    """Raise MatchingError, with the nearest known word, for a choice that does not exist."""
    for what, word, known in (("points", points, POINTS), ("objective", objective, OBJECTIVES)):
        if word not in known:
            raise MatchingError(
                f"{what} {word!r} is not known: {nearest(str(word), known)}expected one of "
                f"{', '.join(map(repr, known))}"
            )


def balanced(a: Graph, b: Graph) -> Weight:
    """1 - |s - t| for points at shares s and t of their networks' multiply-adds.

    A network that starts as A and goes on as B at this match takes s of A's multiply-adds and 1 - t
    of B's, and the one that crosses the other way t and 1 - s: with s = t both cost between A and
    B, in proportion, and matches along the way make costs without gaps; |s - t| is how far off they
    are, as a share of a whole network. Every match counts for something (LEAST at the least), so
    that points far apart are joined where nothing better is lost.
    """
    shares = shares_before(a), shares_before(b)
    return lambda u, v: max(1 - abs(shares[0][u.name] - shares[1][v.name]), LEAST)


def measured(
    a: Network,
    b: Network,
    objective: str,
    pairs: Sequence[tuple[str, str]],
    batches: Iterable[Batch],
    progress: Progress | None,
) -> Weight:
    """Stitchability, or for SAVINGS times the multiply-adds that a match makes optional.

    These are the mean of both networks' shares of what nothing needs once the point is given. A
    pair that no stitch translates better than a constant does weighs 0 and is never matched.
    """
    table = stitchability(a, b, batches, pairs=pairs, progress=progress)
    at_a, at_b = ({n.name: i for i, n in enumerate(x.graph.points)} for x in (a, b))
    if objective == SAVINGS:
        saved = [optional_shares(x.graph) for x in (a, b)]
        table = table * np.add.outer([*saved[0].values()], [*saved[1].values()]) / 2
    return lambda u, v: float(table[at_a[u.name], at_b[v.name]])

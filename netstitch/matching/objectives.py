"""Objectives of matching: a weight for each pair of points that may be matched.

The paper maximises the number of matches (its section 3), and blames their uneven places for its
staircase fronts (its section 8): layers between two matches are in a subnetwork or out of it as a
whole. The balanced objective prefers matches of points that lie equally deep.
"""

from collections.abc import Callable

from netstitch.networks.counting import share_before
from netstitch.networks.graph import Graph, Node

LEAST = 1e-6


def balanced(a: Graph, b: Graph) -> Callable[[Node, Node], float]:
    """Return the weight 1 - |s - t| of points at shares s and t of their networks' multiply-adds.

    A subnetwork that starts as A and goes on as B at this match takes s of A's multiply-adds and
    1 - t of B's, and the one that crosses the other way t and 1 - s: with s = t both cost between A
    and B, in proportion. Every match counts for LEAST or more, so that points far apart are joined
    where nothing better is lost.
    """
    shares = shares_before(a), shares_before(b)
    return lambda u, v: max(1 - abs(shares[0][u.name] - shares[1][v.name]), LEAST)


def shares_before(graph: Graph) -> dict[str, float]:
    """Return for each point the share of the network's multiply-adds that computing it takes."""
    return {node.name: share_before(graph, node.name) for node in graph.points}

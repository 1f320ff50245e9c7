"""`netstitch.match`: from networks to the solver's graphs, and from its groups to a matching."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import torch
from torch import nn

from netstitch.errors import MatchingError
from netstitch.events import Listener, Message, warn
from netstitch.matching.acyclic.joint import DirectedGraph, joint_acyclic_matching
from netstitch.matching.compatibility import NamedNetwork, why_none
from netstitch.matching.matches import Match, Matching
from netstitch.matching.matching_settings import MatchingObjective, MatchingSettings, Points
from netstitch.matching.steps import common_points, point_pairs, steps_of
from netstitch.matching.weighing import Weighing, weight_table, worths
from netstitch.networks.inputs import check_one_task
from netstitch.networks.network import Network


def match(
    *networks: NamedNetwork,
    points: Points = "distinct",
    objective: MatchingObjective = "count",
    weights: Weighing | None = None,
    listener: Listener = warn,
) -> Matching:
    """Return a heavy acyclic matching of networks' points, of two the heaviest (section 3).

    A match has one point of each network at most, each compatible with all others, and is worth the
    sum over its pairs. Two networks are matched exactly, further ones one by one with those before,
    merged; then each again with all others until nothing improves (`joint_acyclic_matching`). The
    matching's `upper_bound` is proven, and `exact` says whether it is reached; for more than two
    networks it is the sum of the maxima of all pairs, which no matching may be able to reach.

    Points that are an output of their network are not matched. Ties, and networks too wide for the
    exact solver, are as in `maximum_acyclic_matching`.

    With "distinct" points, those that differ by an affine map of each channel
    (`equivalence_classes`) count as one: a convolution and the batch norm behind it, no-ops, pooled
    features before and after they are flattened. A stitch between two of them computes what one
    between their classes does with other weights, so no network is lost, up to an affine map and
    provided that scales of batch norms are not 0; but a class is in one match, where with "all"
    each of its points may be in one. Classes are matched at the last points that are compatible: to
    compute the source further costs nothing more, the target's map is not computed behind the
    stitch, and normalised features are easier to fit.

    Args:
        networks: two or more captured networks.
        points: "all" as in the paper, or "distinct".
        objective: what is maximised: "count", the number of pairs that matches join, or "balanced",
            the sum of 1 - |s - t| over pairs at shares s and t of their networks' multiply-adds.
        weights: what a pair is worth instead of an objective, finite and not negative; 0 keeps
            two points apart. A function of two compatible points, the earlier network's first; or
            for two networks an array (points of the first graph, points of the second) in the order
            of `graph.points`, of which the entries of points that may be matched are read; or a
            mapping with either for every pair of networks (i, j), i < j. A pair of classes is worth
            what their last compatible points are.
        listener: told of networks that are the same, and of one that cannot be joined to any other,
            as the others are; by default these are warnings of Python.

    Raises:
        MatchingError: for fewer than two networks, choices that do not exist or do not go together,
            networks of different tasks, weights of a wrong shape, negative or not finite, and when
            no points fit.
    """
    MatchingSettings(points=points, objective=objective)  # raises where there is none of the name
    for network in networks:
        _check_named(network)
    if weights is not None and objective != "count":
        raise MatchingError(
            f"match was given weights and the objective {objective!r}: give one of both, weights "
            "are an objective of their own"
        )
    names = [network.name for network in networks]
    if len(networks) < 2:
        given = f"one network, {names[0]}," if names else "no network"
        raise MatchingError(f"{given} was given to match: give two or more")
    graphs = [network.graph for network in networks]
    check_one_task(names, graphs, MatchingError)
    steps = [steps_of(graph, points) for graph in graphs]
    sizes = [len(each.members) for each in steps]
    pairs = {(i, j): point_pairs(steps[i], steps[j]) for i, j in combinations(range(len(steps)), 2)}
    if not any(pairs.values()):
        raise MatchingError(_nothing_fits(networks))
    tables = {
        (i, j): weight_table((sizes[i], sizes[j]), pairs[i, j], worth, f"{names[i]} and {names[j]}")
        for (i, j), worth in worths(networks, objective, weights)
    }
    if not any(table.any() for table in tables.values()):
        raise MatchingError(
            f"every match of {names[0]} with {' or '.join(names[1:])} has weight 0: give a "
            "positive weight to some pair, or another objective"
        )
    joined = {network for pair, fitting in pairs.items() if fitting for network in pair}
    for text in (*_twice(networks), *_left_over(networks, joined)):
        listener(Message(text, warning=True))
    solved = [DirectedGraph(size, each.edges) for size, each in zip(sizes, steps, strict=True)]
    found = joint_acyclic_matching(solved, tables)
    matches = []
    for group in found.groups:
        nodes = common_points([steps[index].members[step] for index, step in group.items()])
        row = {index: node.name for index, node in zip(group, nodes, strict=True)}
        matches.append(Match(tuple(map(row.get, range(len(networks))))))
    matching = Matching(tuple(matches), found.weight, found.upper_bound, found.method)
    return matching.placed(names, graphs)


def _nothing_fits(networks: Sequence[NamedNetwork]) -> str:
    first, *others = networks
    what = f"no point of {first.name} is compatible with one of {others[0].name}"
    if len(others) > 1:
        what = f"no points of {', '.join(network.name for network in networks)} are compatible"
    return f"{what}: {why_none(*networks)}"


def _left_over(networks: Sequence[NamedNetwork], joined: set[int]) -> Iterator[str]:
    """Yield a line about each network of which no point is compatible with one of another."""
    for index, network in enumerate(networks):
        if index not in joined:
            others = [networks[other] for other in sorted(joined)]
            yield (
                f"{network.name} is joined to no other network, since none of its points is "
                f"compatible with one of theirs: {why_none(network, *others)}"
            )


def _twice(networks: Sequence[NamedNetwork]) -> Iterator[str]:
    """Yield a line about each two networks that are one."""
    for i, j in combinations(range(len(networks)), 2):
        if _same(networks[i], networks[j]):
            yield (
                f"networks {i + 1} and {j + 1}, {networks[i].name} and {networks[j].name}, are the "
                "same: nothing lies between them; leave one out unless you mean it"
            )


def _same(a: NamedNetwork, b: NamedNetwork) -> bool:
    """Return whether two networks compute the same, node by node."""
    if a is b or not (isinstance(a, Network) and isinstance(b, Network)):
        return a is b
    own, other = a.weights, b.weights
    return (
        a.graph == b.graph
        and own.keys() == other.keys()
        and all(torch.equal(tensor, other[key]) for key, tensor in own.items())
    )


def _check_named(network: object) -> None:
    if isinstance(network, NamedNetwork):
        return
    kind = type(network).__name__
    if isinstance(network, list | tuple):
        what = f"a {kind}: give the networks one by one, ns.match(*networks)"
    elif isinstance(network, nn.Module):
        what = f"the model {kind}: capture it first, ns.capture(model, example)"
    else:
        what = f"a {kind}: give what ns.capture(model, example) returns"
    raise MatchingError(f"match takes captured networks, got {what}")

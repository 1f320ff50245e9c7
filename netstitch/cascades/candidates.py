"""Candidates: the networks and exits that are tried as stages."""

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest

import moocore
import numpy as np
from numpy.typing import NDArray

from netstitch.analysis import Front
from netstitch.cascades.evaluated import Evaluated, Scorer
from netstitch.cascades.stage_costs import stage_costs
from netstitch.cascades.terms import Stage, make_stage
from netstitch.costs import Cost
from netstitch.stitching.cascade_terms import Selected
from netstitch.stitching.exit import Exit
from netstitch.supernet.supernet import Supernet

LOOKED_AT = 2
"""Stitched networks that are scored as second stages, for each place there is."""

CHEAPEST = 8
"""The most first stages that decide which samples count as unsure."""


def plain_stages(supernet: Supernet, exits: bool) -> list[Stage]:
    """Return the stages without stitches: basis networks, ensembles and, if asked, exits."""
    references = (make_stage(supernet, one) for one in supernet.references().values())
    own = (make_stage(supernet, one) for one in supernet.exits) if exits else ()
    return list(dict.fromkeys((*references, *own)))


def cheapest_stages(supernet: Supernet, cost: Cost) -> list[Stage]:
    """Return typical first stages: some exits, or where there are none the basis networks."""
    exits = _spread(supernet, cost, supernet.exits, CHEAPEST)
    if exits:
        return [make_stage(supernet, one) for one in exits]
    return [one for one in plain_stages(supernet, exits=False) if len(one.terms) == 1]


def choose_stages(
    supernet: Supernet,
    front: Front,
    evaluated: Evaluated,
    cost: Cost,
    limit: int,
    on_unsure: Scorer | None = None,
) -> list[Stage]:
    """Return the stages that are tried, at most `limit`, the most important ones first.

    References and exits come first. With stitched stages, exits take half of the places at most;
    the others go to the front's networks, and then in turn to two kinds of evaluated networks: good
    first stages (the best score for their cost) and good second stages (the best score on samples
    that first stages are unsure of, for what they cost beyond a reference).

    Args:
        supernet: The supernet.
        front: The front of its search.
        evaluated: The genotypes that the search evaluated.
        cost: The cost of stages.
        limit: The most stages.
        on_unsure: Scores genotypes on such samples; without it no stage is stitched.
    """
    networks, exits = plain_stages(supernet, exits=False), supernet.exits
    room = max(0, limit - len(networks))
    most = room if on_unsure is None else max(1, room // 2)
    own = [make_stage(supernet, one) for one in _spread(supernet, cost, exits, most)]
    if on_unsure is None:
        return [*networks, *own][:limit]
    of_front = (make_stage(supernet, point.subnetwork) for point in front.points)
    searched = _searched(supernet, evaluated, cost, limit, on_unsure)
    others = (make_stage(supernet, one) for one in searched)
    found: dict[Stage, None] = {}
    for stage in chain(networks, own, of_front, others):
        found[stage] = None
        if len(found) == limit:
            break
    return list(found)


def _spread(supernet: Supernet, cost: Cost, exits: Sequence[Exit], most: int) -> Sequence[Exit]:
    """Return at most `most` exits, spread evenly over their costs."""
    if len(exits) <= most:
        return exits
    ordered = sorted(exits, key=lambda one: cost.of(supernet, one))
    return [ordered[place] for place in np.linspace(0, len(ordered) - 1, most).round().astype(int)]


def _searched(
    supernet: Supernet, evaluated: Evaluated, cost: Cost, limit: int, on_unsure: Scorer
) -> Iterator[NDArray[np.integer]]:
    """Yield the best evaluated genotype left, in turn as a first and as a second stage."""
    known = np.flatnonzero(np.isfinite(evaluated.scores))
    genotypes, scores = evaluated.genotypes[known].astype(np.int64), evaluated.scores[known]
    if not len(known):
        return
    costs = np.array([cost.of(supernet, one) for one in genotypes], np.float64)
    cheap = _best_first(costs, scores)
    looked_at = cheap[: LOOKED_AT * limit]
    references: list[Selected] = [tuple(one.tolist()) for one in supernet.references().values()]
    both = [*references, *(tuple(one.tolist()) for one in genotypes[looked_at])]
    between = stage_costs(supernet, cost, both)
    beyond = np.min([between.beyond([one])[len(references) :] for one in range(len(references))], 0)
    good = on_unsure(genotypes[looked_at])
    known_too = np.flatnonzero(np.isfinite(good))
    added = looked_at[known_too][_best_first(beyond[known_too], good[known_too])]
    for pair in zip_longest(cheap.tolist(), added.tolist()):
        yield from (genotypes[one] for one in pair if one is not None)


def _best_first(costs: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return indices sorted by Pareto rank: the front, the front of the others, and so on."""
    if not len(costs):
        return np.zeros(0, np.int64)
    ranks = moocore.pareto_rank(np.column_stack([costs, scores]), maximise=[False, True])
    order: NDArray[np.int64] = np.lexsort((costs, ranks))
    return order

"""Checks of what the search for cascades is given."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from netstitch.analysis import Front
from netstitch.cascades.evaluated import Evaluated
from netstitch.costs import COSTS, Cost, find_cost
from netstitch.errors import SearchError, StitchingError
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.evaluation.evaluator import Objectives
from netstitch.stitching.genotype import check_genotype
from netstitch.supernet.decisions import AnyGenotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Task
from netstitch.tasks.datasets.given import described


def check_front(supernet: Supernet, front: Front) -> None:
    """Raise SearchError unless it is a front of this supernet."""
    for point in front.networks:
        try:
            supernet.pruned_graph(point.subnetwork)
        except StitchingError as error:
            raise SearchError(
                f"{point.label} of the front is no network of this supernet ({error}); give the "
                "supernet that was searched"
            ) from error
    for name, genotype in supernet.references().items():
        known = {one.label: one.genotype for one in front.references}
        if known and known.get(name) != tuple(genotype.tolist()):
            raise SearchError(
                f"the front has no reference {name!r} as this supernet has it; give the supernet "
                "that was searched"
            )


def cost_of_front(front: Any, cost: str | Cost | None) -> Cost:
    """Return the cost that a front is of, or the one given; raise SearchError where they differ."""
    if not isinstance(front, Front):
        raise SearchError(
            f"the front is {described(front)}; give what ns.search(supernet, task) returned"
        )
    if cost is None and front.cost_name not in COSTS:
        raise SearchError(
            f"the front's cost {front.cost_name!r} is one of your own; give it, cost=..."
        )
    found = find_cost(front.cost_name if cost is None else cost)
    if found.name != front.cost_name:
        raise SearchError(
            f"the front's cost is {front.cost_name} and the one given {found.name}; give the same"
        )
    return found


def scored_genotypes(
    supernet: Supernet,
    task: Task,
    genotypes: Iterable[AnyGenotype],
    form: NumericsConfig,
    device: Any,
) -> Evaluated:
    """Return genotypes with their scores on validation samples, which are measured.

    Raises:
        StitchingError: One is no genotype of the supernet.
    """
    checked = [check_genotype(supernet.cardinalities, one) for one in genotypes]
    if not checked:
        return Evaluated(np.zeros((0, len(supernet.cardinalities)), np.int64), np.zeros(0))
    evaluator = Evaluator(supernet, task, task.validation, form, device=device)
    found = evaluator.together(checked)
    scores = [one.accuracy if isinstance(one, Objectives) else np.nan for one in found]
    return Evaluated(np.stack(checked), np.array(scores))

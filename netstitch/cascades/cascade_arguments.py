"""Checks of the arguments of `ns.find_cascades`."""

import numpy as np
import torch

from netstitch.analysis import Front
from netstitch.cascades.answers import AnswerRule, answer_rule
from netstitch.cascades.candidates import plain_stages
from netstitch.cascades.cascade_settings import CascadeSettings
from netstitch.costs import COSTS, Cost, find_cost
from netstitch.errors import SearchError, StitchingError
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.evaluation.evaluator import Objectives
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Task
from netstitch.tasks.datasets.given import described

ROUNDING = 0.002
"""The largest difference of accuracies that counts as rounding; two samples always do."""


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


def check_measured(
    supernet: Supernet,
    task: Task,
    front: Front,
    form: NumericsConfig,
    device: torch.device | str,
    *,
    stitched: bool,
) -> None:
    """Raise SearchError where networks are not as accurate as the front says.

    Checked are the references and, where stages may be stitched, the network of most stitches.
    """
    chosen = list(front.references)
    if stitched:
        chosen += sorted(front.points, key=lambda point: point.stitches)[-1:]
    if not chosen:
        return
    evaluator = Evaluator(supernet, task, task.validation, form, device=device)
    measured = evaluator.together([np.array(point.genotype, np.int64) for point in chosen])
    for point, found in zip(chosen, measured, strict=True):
        if isinstance(found, Objectives) and abs(found.accuracy - point.validation) > max(
            ROUNDING, 2 / len(task.validation)
        ):
            raise SearchError(
                f"{point.label} of the front has a validation accuracy of {point.validation:.4f}, "
                f"and {found.accuracy:.4f} here; give the supernet that was searched, with its "
                "stitches as they were, and the same validation samples; stages cannot be "
                "recalibrated"
            )


def rule_of(supernet: Supernet, task: Task, settings: CascadeSettings) -> AnswerRule:
    """Return the rule that turns terms into answers.

    Raises:
        SearchError: The task has no such confidence, or none; or two outputs are to agree, and no
            stage before the last can have two.
    """
    rule = answer_rule(supernet, task, settings.confidence)
    if settings.confidence == "agreement" and not settings.stitched:
        several = [one for one in plain_stages(supernet, exits=False) if len(one.terms) > 1]
        if len(several) < 2:
            raise SearchError(
                "the confidence 'agreement' is between two outputs, and of "
                f"{' and '.join(supernet.names)} and their exits no first stage has two; let "
                "stages be stitched too, or take another confidence"
            )
    return rule


def cost_of_front(front: object, cost: str | Cost | None) -> Cost:
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

"""What a search holds against cost: accuracy, or the cross-entropy as a likelihood."""

from typing import get_args

from netstitch.analysis import ObjectiveName
from netstitch.analysis.front import ACCURACY
from netstitch.errors import SearchError
from netstitch.networks.probabilities import WAY_OUT
from netstitch.supernet import Supernet
from netstitch.tasks import Likelihood, Task


def scored_by(objective: ObjectiveName, supernet: Supernet, task: Task) -> Task:
    """Return the task as a search scores it.

    Raises SearchError for an objective that is not known, and for cross-entropy where the networks
    put out probabilities.
    """
    if objective not in get_args(ObjectiveName):
        raise SearchError(
            f"objective {objective!r} is not known; give 'accuracy' or 'cross-entropy'"
        )
    if objective == ACCURACY:
        return task
    if supernet.puts_out_probabilities(task.output):
        raise SearchError(
            f"the objective {objective!r} is of logits, and the networks end in probabilities: for "
            f"each, {WAY_OUT}"
        )
    return Likelihood(task)

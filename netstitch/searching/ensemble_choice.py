"""Choosing ensembles of networks on validation samples, before anything is stitched."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from netstitch.analysis import ObjectiveName
from netstitch.analysis.front_point import ACCURACY
from netstitch.costs import MULTIPLY_ADDS, Cost
from netstitch.errors import SearchError
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.evaluation.measured_output import measured_key, measured_shape
from netstitch.events import ProgressCallback
from netstitch.files.settings import MEMORY
from netstitch.matching.matches import Matching
from netstitch.networks.network import Network
from netstitch.networks.probabilities import WAY_OUT
from netstitch.searching.ensemble_weights import fit_ensemble_weights
from netstitch.searching.greedy_ensembles import greedy_sets
from netstitch.searching.supernet_search_settings import scored_by
from netstitch.stitching.output_choices import OutputChoices
from netstitch.stitching.subgraph import Averaging
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Task, select
from netstitch.threads import available_cores

BATCH, WORKERS = 8, 8
"""Samples of a batch, and threads; networks for large maps have no memory for more."""


def greedy_outputs(
    networks: Sequence[Network],
    task: Task,
    averaging: Averaging | None = None,
    *,
    objective: ObjectiveName = ACCURACY,
    cost: Cost = MULTIPLY_ADDS,
    progress: ProgressCallback | None = None,
) -> OutputChoices:
    """Return the sets of networks whose ensembles are the best for their cost; see `greedy_sets`.

    Each network alone and all together are among them. `Supernet` takes them as `outputs`.

    Args:
        networks: Captured networks of one task.
        task: Has the validation samples.
        averaging: How ensembles are formed, by default as the task says.
        objective: The score, "accuracy" or "cross-entropy".
        cost: The cost of one network; a set costs the sum.
        progress: Called with how many sets were scored.
    """
    rule = averaging or Averaging(task.ensemble)
    unstitched = _unstitched(networks, rule)
    scored = scored_by(objective, unstitched, task)
    costs = [float(cost.of(unstitched, one)) for one in unstitched.references().values()]
    outputs, labels = _outputs(unstitched, task)

    def score(mean: Tensor) -> float:
        return scored.accuracy(_as_network_output(unstitched, task, mean), labels)

    weights = rule.shares(range(len(networks)))
    return greedy_sets(outputs, costs, score, rule=rule.rule, weights=weights, progress=progress)


def fitted_weights(networks: Sequence[Network], task: Task) -> tuple[float, ...]:
    """Return the weights of networks that give their ensemble the least validation cross-entropy.

    `Averaging` takes them as `weights`.

    Raises:
        SearchError: The task has no cross-entropy, or the networks put out probabilities.
    """
    unstitched = _unstitched(networks, Averaging(task.ensemble))
    cross_entropy, instead = task.cross_entropy, "give a list of weights, or 'equal'"
    if cross_entropy is None:
        raise SearchError(
            f"a {task.kind} has no cross_entropy, by which weights of networks are fitted: "
            f"{instead}"
        )
    if unstitched.puts_out_probabilities(task.output):
        raise SearchError(
            "weights of networks are fitted by the cross-entropy of logits, and the networks end "
            f"in probabilities: {instead}; or for each, {WAY_OUT}"
        )
    outputs, labels = _outputs(unstitched, task)

    def mean_nats(mean: Tensor) -> Tensor:
        return cross_entropy(_as_network_output(unstitched, task, mean), labels).mean()

    return tuple(fit_ensemble_weights(outputs, mean_nats, task.ensemble))


def _unstitched(networks: Sequence[Network], averaging: Averaging) -> Supernet:
    """Return a supernet of the networks without stitches, each of which is an output."""
    alone = [(index,) for index in range(len(networks))]
    return Supernet(networks, Matching((), 0, 0, "none"), averaging=averaging, outputs=alone)


def _outputs(unstitched: Supernet, task: Task) -> tuple[list[Tensor], Tensor]:
    """Return each network's outputs (n, ...) for validation samples, and the labels."""
    samples = task.validation
    # Of samples whose outputs take more than that a fixed random part is taken.
    most = max(1, MEMORY // (4 * len(unstitched.graphs) * prod(measured_shape(unstitched, task))))
    if len(samples) > most:
        order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))
        samples = samples.taken(order[:most].sort().values)
    device = next(iter(unstitched.tensors().values()), torch.zeros(0)).device
    workers = min(available_cores(), WORKERS) if device.type == "cpu" else 1
    form = NumericsConfig(channels_last=False, batch=BATCH, workers=workers)
    evaluator = Evaluator(unstitched, task, samples, form, device=device)
    found = evaluator.outputs_together(list(unstitched.references().values()))
    return [select(each, task.output) for each in found], samples.labels


def _as_network_output(
    unstitched: Supernet, task: Task, mean: Tensor
) -> Tensor | dict[str, Tensor]:
    """Return a mean of outputs in the form of a network's output."""
    key = measured_key(unstitched, task)
    return mean if key is None else {key: mean}

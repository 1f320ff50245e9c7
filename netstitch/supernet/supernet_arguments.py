"""Checks of a supernet's arguments: networks, matching, weights and batches."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from netstitch.errors import StitchingError
from netstitch.matching.matches import Matching
from netstitch.networks.graph import Graph
from netstitch.networks.inputs import check_inputs, check_one_task
from netstitch.networks.network import Network
from netstitch.stitching.output_choices import output_choices
from netstitch.stitching.subgraph import Averaging
from netstitch.stitching.switches import Switchboard, make_switchboard
from netstitch.supernet.memory_estimate import FITTED, memory_estimate

MEASURED_WORK = 20_000_000_000
"""Multiply-adds of what threads are measured on, about."""


def check_arguments(networks: object, matching: object, averaging: object) -> Matching:
    """Return the matching; raise StitchingError unless the arguments are of their types."""
    instead = "expected a list of captured networks, [ns.capture(model, example), ...]"
    if not isinstance(networks, list | tuple):
        raise StitchingError(f"the networks are a {type(networks).__name__}; {instead}")
    for network in networks:
        if not isinstance(network, Network):
            raise StitchingError(f"the networks hold a {type(network).__name__}; {instead}")
    if not isinstance(matching, Matching):
        raise StitchingError(
            f"the matching is a {type(matching).__name__}; expected ns.match(a, b) of the networks"
        )
    if not isinstance(averaging, Averaging | None):
        raise StitchingError(
            f"averaging is {averaging!r:.80}; expected netstitch.stitching.Averaging('logits') or "
            "('probabilities')"
        )
    return matching


def check_joinable(names: Sequence[str], graphs: Sequence[Graph], averaging: Averaging) -> None:
    """Raise StitchingError unless the networks do one task and the ensemble's weights fit."""
    if len(graphs) < 2:
        raise StitchingError(f"{len(graphs)} network was given; a supernet joins two or more")
    check_one_task(names, graphs, StitchingError)
    shares = averaging.weights
    if shares is not None and (
        len(shares) != len(graphs) or not all(0 < share < math.inf for share in shares)
    ):
        raise StitchingError(
            f"ensemble weights {shares} do not fit {len(graphs)} networks; give one positive "
            "number each, and leave a network that shall not count out of `outputs`"
        )


def numbers_of(names: Sequence[str], networks: Sequence[Network]) -> dict[str, int]:
    """Return the numbers of networks by the supernet's names, and by their own where these differ.

    Of networks of one name the first counts.
    """
    own = {network.name: index for index, network in reversed(list(enumerate(networks)))}
    return own | {name: index for index, name in enumerate(names)}


def make_board(
    names: Sequence[str],
    networks: Sequence[Network],
    matching: Matching,
    outputs: object,
    memory_budget: int,
) -> Switchboard:
    """Return the switchboard of networks.

    Raises:
        StitchingError: for a matching or outputs that are not of the networks, and where these and
            fitted stitches take more than the memory budget.
    """
    chosen = output_choices(len(networks), outputs, numbers_of(names, networks))
    board = make_switchboard([network.graph for network in networks], matching, chosen)
    memory_estimate(names, networks, matching).check(FITTED, memory_budget)
    return board


def check_weights(own: Mapping[str, Tensor], weights: object, of: str, listed: str) -> None:
    """Raise StitchingError unless weights can replace those that are given by key.

    Args:
        own: The tensors to be replaced, by key.
        weights: The given ones.
        of: "stitches" or "exits", for messages.
        listed: The method that returns weights of the right keys and shapes.
    """
    advice = f"give tensors of the keys and shapes of {listed}"
    if not isinstance(weights, Mapping):
        raise StitchingError(f"the weights are a {type(weights).__name__}; {advice}")
    for key in sorted(set(own) ^ set(weights), key=str):
        what = "missing" if key in own else "of none of them"
        raise StitchingError(f"the weights are not of these {of}: {key} is {what}; {advice}")
    for key, tensor in own.items():
        given = weights[key]
        if not isinstance(given, Tensor):
            raise StitchingError(f"the weights of {key} are a {type(given).__name__}; {advice}")
        if given.shape != tensor.shape:
            shapes = f"{tuple(given.shape)} and not {tuple(tensor.shape)}"
            raise StitchingError(
                f"the weights are not of these {of}: {key} has shape {shapes}; {advice}"
            )
        if not given.is_floating_point() or given.is_meta or given.layout != torch.strided:
            kind = "on the device meta" if given.is_meta else f"{given.dtype}, {given.layout}"
            raise StitchingError(f"the weights of {key} are {kind}; expected dense floats")
        if not torch.isfinite(given).all():
            raise StitchingError(f"the weights of {key} hold NaN or infinity; expected finite ones")


def check_batch(graphs: Sequence[Graph], inputs: object, dtype: torch.dtype) -> None:
    """Raise StitchingError unless inputs are a batch of the networks' input shape and type."""
    if not isinstance(inputs, Tensor) or inputs.dtype != dtype:
        kind = inputs.dtype if isinstance(inputs, Tensor) else type(inputs).__name__
        raise StitchingError(f"the inputs are {kind}; expected a tensor (batch, ...) of {dtype}")
    check_inputs(graphs, inputs.shape, "the batch", StitchingError)


def blank_inputs(graphs: Sequence[Graph]) -> Tensor:
    """Return 32 inputs to time threads with, or fewer where networks take seconds."""
    sizes = [int(size) for size in (graphs[0].input.shape or ())[1:]]
    work = max(1, sum(graph.multiply_adds for graph in graphs))
    return torch.zeros(min(32, max(1, MEASURED_WORK // work)), *sizes)

"""The first steps of a run: models become networks, and these are matched."""

from collections.abc import Sequence

import torch
from torch import nn

from netstitch.errors import DataError
from netstitch.events import Listener, Message, StageBegan
from netstitch.matching import Matching, MatchingSettings, match
from netstitch.networks import Graph, Network, capture
from netstitch.networks.graph import INPUT, WEIGHT
from netstitch.networks.module import ancestors
from netstitch.networks.probabilities import WAY_OUT, check_alike
from netstitch.tasks import Task

EXAMPLE_SIZE = 2


def capture_all(
    models: Sequence[tuple[str, nn.Module]], task: Task, listener: Listener
) -> list[Network]:
    """Capture each model with the first samples of validation; see `capture`.

    What only serves outputs that the task does not measure is left out of the networks.

    Raises:
        DataError: The task cannot measure the outputs of a network, which is named.
        StitchingError: Some put out probabilities and others logits.
    """
    listener(StageBegan("capture"))
    example = task.validation.first(EXAMPLE_SIZE)
    networks = []
    for name, model in models:
        network = capture(model, example.inputs, name=name)
        try:
            with torch.inference_mode():
                task.correct(network(example.inputs), example.labels)
        except DataError as error:
            raise DataError(f"network {name!r}: {error}") from error
        networks.append(_measured_part(network, task.output))
        listener(Message(_describe(networks[-1])))
    if check_alike([(network.name, network) for network in networks]):
        text = (
            "all networks put out probabilities, which are averaged as they are; cross-entropies "
            f"and calibration are left out, since they are of logits: for each, {WAY_OUT}"
        )
        listener(Message(text, warning=True))
    return networks


def _measured_part(network: Network, key: str | None) -> Network:
    """Return the network pruned to the output of a key, where it has others."""
    graph = network.graph
    if key is None or graph.output_keys in ((None,), (key,)):
        return network
    name = dict(graph.outputs)[key]
    needed = ancestors(graph, [name])
    nodes = tuple(n for n in graph.nodes if n.name in needed or n.operation == INPUT)
    weights = {n.path: network.weights[n.path] for n in nodes if n.operation == WEIGHT}
    return Network(network.name, Graph(nodes, ((key, name),)), weights)


def match_all(
    networks: Sequence[Network], listener: Listener, settings: MatchingSettings
) -> Matching:
    """Match the networks and tell how many matches there are."""
    listener(StageBegan("match"))
    matching = match(*networks, points=settings.points, objective=settings.objective)
    counted = settings.objective == "count"
    weight = "" if counted else f" of weight {matching.weight:.2f}"
    most = f"{matching.upper_bound:.0f} are" if counted else f"{matching.upper_bound:.2f} is"
    bound = "the maximum" if matching.exact else f"at most {most} possible"
    listener(Message(f"{len(matching)} matches{weight} ({bound})"))
    return matching


def _describe(network: Network) -> str:
    return (
        f"{network.name}: {network.multiply_adds:,} multiply-adds, "
        f"{len(network.graph.points)} points"
    )

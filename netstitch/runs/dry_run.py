"""A dry run of an experiment: everything up to the supernet, and one subnetwork, in a minute."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from netstitch.costs import COSTS
from netstitch.events import Listener, Message, StageBegan
from netstitch.experiments import RunSettings
from netstitch.fitting.exit_points import exit_points
from netstitch.runs.preparing import capture_all, match_all
from netstitch.runs.supernet_step import join_networks
from netstitch.stitching.exit_graph import exit_output
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Task
from netstitch.text import counted

ACTIVE = 2.0
"""Stitches in use of the subnetwork that is tried, as expected."""


@dataclass(frozen=True)
class NetworkCosts:
    """A network's costs, those of `netstitch.costs.COSTS` in order, and its points or stitches."""

    name: str
    costs: tuple[float, ...]
    points: int | None = None
    stitches: int | None = None


def try_out(
    models: Sequence[tuple[str, nn.Module]], task: Task, listener: Listener, settings: RunSettings
) -> list[NetworkCosts]:
    """Capture and match models, build the supernet, and run a random subnetwork, nothing fitted.

    The task has a few samples of any content. Returned are the costs of the basis networks, their
    ensemble, and the subnetwork.
    """
    networks = capture_all(models, task, listener)
    matching = match_all(networks, listener, settings.matching)
    listener(StageBegan("supernet"))
    supernet = join_networks(networks, matching, task, None, settings, listener)
    supernet.set_stitches(supernet.stitch_weights())  # random ones do where nothing is measured
    genotype = _random_genotype(supernet, settings.seed)
    inputs, labels = task.validation.inputs, task.validation.labels
    with torch.inference_mode():
        task.correct(supernet.subnetwork(genotype)(inputs), labels)
    weights = sum(s.inputs * s.outputs for s in supernet.stitches)
    listener(
        Message(
            f"{len(supernet.switches)} switches and the output's, {weights:,} weights of "
            "stitches; a subnetwork was run"
        )
    )
    if settings.cascades.enabled and task.confidences:
        listener(Message(_cascades_in_words(supernet, settings)))
    tried = {**supernet.references(), "subnetwork": genotype}
    points = {network.name: len(network.graph.points) for network in networks}
    stitches = {"subnetwork": len(supernet.active_stitches(genotype))}
    return [
        NetworkCosts(
            name,
            tuple(cost.of(supernet, one) for cost in COSTS.values()),
            points.get(name),
            stitches.get(name),
        )
        for name, one in tried.items()
    ]


def _cascades_in_words(supernet: Supernet, settings: RunSettings) -> str:
    """Return words on the work of a run beside its search."""
    limits, structure = settings.exits, supernet.structure
    points = exit_points(structure, exit_output(structure, None), limits.exits, limits.points)
    cascades = settings.cascades
    return (
        f"exits at {counted(len(points), 'point')} are to be fitted, and cascades of up to "
        f"{cascades.stages} stages to be found, of at most {cascades.candidates:,} networks and "
        "exits"
    )


def _random_genotype(supernet: Supernet, seed: int) -> Genotype:
    """Return one of the ensemble, so that all networks run, with a stitch or two."""
    random = np.random.default_rng(seed)
    genotype = supernet.genotype(len(supernet.outputs) - 1)
    for switch, count in enumerate(supernet.cardinalities[:-1]):
        if random.random() < ACTIVE / len(supernet.cardinalities):
            genotype[switch] = random.integers(1, count)
    return genotype

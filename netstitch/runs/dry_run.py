"""A trial of an experiment: everything up to the supernet, and one subnetwork, in a minute."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from netstitch.events import Listener, Message, StageBegan
from netstitch.experiments import RunSettings
from netstitch.runs.preparing import capture_all, match_all
from netstitch.stitching import Averaging
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Task

ACTIVE = 2.0
"""Stitches in use of the subnetwork that is tried, as expected."""


@dataclass(frozen=True)
class NetworkCost:
    """The costs of a network: multiply-adds of one sample, parameters, and points or stitches."""

    name: str
    multiply_adds: int
    parameters: int
    points: int | None = None
    stitches: int | None = None


@dataclass(frozen=True)
class Trial:
    """The outcome of a trial.

    Attributes:
        supernet: Its stitches are not fitted.
        genotype: The subnetwork that was run.
        costs: Of the basis networks, their ensemble, and the subnetwork.
    """

    supernet: Supernet
    genotype: Genotype
    costs: tuple[NetworkCost, ...]


def try_out(
    models: Sequence[tuple[str, nn.Module]],
    task: Task,
    listener: Listener,
    settings: RunSettings,
) -> Trial:
    """Capture and match models, build the supernet, and run a random subnetwork, nothing fitted.

    Args:
        models: Two or more, by name.
        task: With a few samples of any content.
        listener: Told what is found.
        settings: What is matched, and the seed of the subnetwork.
    """
    networks = capture_all(models, task, listener)
    matching = match_all(networks, listener, settings.matching)
    listener(StageBegan("supernet"))
    supernet = Supernet(networks, matching, averaging=Averaging(task.ensemble))
    supernet.set_stitches(supernet.stitch_weights())  # random ones do for a trial
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
    found = [
        NetworkCost(
            name,
            supernet.macs(reference),
            supernet.parameters_of(reference),
            points=_points(supernet, name),
        )
        for name, reference in supernet.references().items()
    ]
    stitches = len(supernet.active_stitches(genotype))
    own = supernet.macs(genotype), supernet.parameters_of(genotype)
    return Trial(supernet, genotype, (*found, NetworkCost("subnetwork", *own, stitches=stitches)))


def _random_genotype(supernet: Supernet, seed: int) -> Genotype:
    """Return one of the ensemble, so that all networks run, with a stitch or two."""
    random = np.random.default_rng(seed)
    genotype = supernet.genotype(len(supernet.outputs) - 1)
    for switch, count in enumerate(supernet.cardinalities[:-1]):
        if random.random() < ACTIVE / len(supernet.cardinalities):
            genotype[switch] = random.integers(1, count)
    return genotype


def _points(supernet: Supernet, name: str) -> int | None:
    if name not in supernet.names:
        return None
    return len(supernet.graphs[supernet.names.index(name)].points)

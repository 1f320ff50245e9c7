"""Measures subnetworks of fitted stitches: one stitch by depth, and several at random."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
from pairs import in_order_of
from torch import nn

import netstitch as ns
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.fitting.refinement.behaviour_losses import divergence
from netstitch.fitting.refinement.sampler import single, with_active
from netstitch.fitting.stitch_layers import held_out_errors
from netstitch.stitching.reachability import Genotype
from netstitch.tasks import Classification

ACTIVE = (1, 2, 4, 8, 16)
"""Active stitches of the random subnetworks."""

DRAWN = 8
"""Random subnetworks of each number of stitches and each seed."""

TEST, HELD_OUT, RECALIBRATED = 500, 512, 256
"""Test images (other ones for each seed), validation images that errors and losses are of, training
images that batch norms are measured on; at most."""

LOSS_AT = 4
"""Active stitches of the subnetworks whose loss is measured."""

FORM = NumericsConfig(channels_last=True, batch=125, workers=1)


@dataclass(frozen=True)
class Subjects:
    """The genotypes that are measured, the same for every method.

    singles: per match, from the first to the last, the genotype of its stitch from the first
        network to the second, and the other way; None where no output depends on it.
    drawn: random genotypes by their number of active stitches, over all outputs.
    """

    singles: tuple[tuple[Genotype | None, Genotype | None], ...]
    drawn: dict[int, list[Genotype]]


def make_subjects(supernet: ns.Supernet, seed: int) -> Subjects:
    """The subjects of a supernet of two networks; counts hardly ever drawn are left out."""
    by_match: dict[int, dict[int, Genotype | None]] = {}
    for index, stitch in enumerate(supernet.stitches):
        by_match.setdefault(stitch.match, {})[stitch.source.network] = single(supernet, index)
    usable = [i for i in range(len(supernet.stitches)) if single(supernet, i) is not None]
    drawn = {}
    for active in ACTIVE:
        generator = np.random.default_rng([seed, active])
        found = [with_active(supernet, generator, active, usable) for _ in range(DRAWN)]
        kept = [genotype for genotype in found if genotype is not None]
        if len(kept) >= DRAWN // 2:  # few say nothing of a median
            drawn[active] = kept
    ordered = (by_match[match] for match in sorted(by_match))
    return Subjects(tuple((each.get(0), each.get(1)) for each in ordered), drawn)


def behaviour(
    supernet: ns.Supernet, task: Classification, subjects: Subjects, seed: int
) -> dict[str, Any]:
    """Accuracies on test images, errors and losses on validation images, as plain data.

    error: the stitches' median of |target - stitch(source)|^2 / |target - mean|^2. loss: mean
    Kullback-Leibler divergence of subnetworks with LOSS_AT stitches from the network or ensemble
    whose output they have.
    """
    assert task.test is not None
    assert task.training is not None
    test, held = in_order_of(task.test, seed).first(TEST), task.validation.first(HELD_OUT)
    evaluator = Evaluator(supernet, task, test, FORM)

    def accuracy(genotype: Genotype | None) -> float | None:
        return None if genotype is None else evaluator(genotype).accuracy

    some = list(task.training.first(RECALIBRATED).batches(128))
    again = Evaluator(supernet, task, test, FORM, recalibration=some)
    return {
        "references": {
            name: evaluator(genotype).accuracy for name, genotype in supernet.references().items()
        },
        "singles": [[accuracy(genotype) for genotype in pair] for pair in subjects.singles],
        "random": {
            str(active): [accuracy(genotype) for genotype in genotypes]
            for active, genotypes in subjects.drawn.items()
        },
        "recalibrated": {
            str(active): [again(genotype).accuracy for genotype in genotypes]
            for active, genotypes in subjects.drawn.items()
        },
        "error": _error(supernet, held),
        "loss": _loss(supernet, task, held, subjects.drawn.get(LOSS_AT, [])),
    }


def _error(supernet: ns.Supernet, held: ns.Samples) -> float:
    layers: list[nn.Module] = list(supernet.layers)
    errors = held_out_errors(supernet.stitches, layers, supernet.features, held.batches(64))
    middle: float = median(error for error in errors if error is not None)
    return middle


def _loss(
    supernet: ns.Supernet,
    task: Classification,
    held: ns.Samples,
    genotypes: Sequence[Genotype],
) -> float | None:
    evaluator = Evaluator(supernet, task, held, FORM)
    teachers = [evaluator.outputs(genotype) for genotype in supernet.references().values()]
    losses = [
        float(divergence(evaluator.outputs(genotype), teachers[int(genotype[-1])]))
        for genotype in genotypes
    ]
    return sum(losses) / len(losses) if losses else None

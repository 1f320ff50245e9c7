"""Doubts about the references: warnings where basis networks seem not to work.

Images of another normalisation, or classes in another order than the labels', spoil results without
an error. So the basis networks and their ensemble are measured on some validation samples before
anything is fitted or searched.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm
from torch import Tensor

from netstitch.analysis.front_point import ENSEMBLE
from netstitch.analysis.significance import p_better
from netstitch.errors import NetstitchError
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.matching.matches import Matching
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Task
from netstitch.tasks.agreement import AGREEMENT
from netstitch.threads import available_cores

SAMPLES, BATCH, WORKERS = 512, 8, 8
"""Validation samples at most, samples of a batch, and threads; networks for large maps have no
memory for more."""
ABOVE_CHANCE, WORSE = 0.05, 0.01
"""The levels of the two tests: not above chance, and worse than its networks."""

Right = Mapping[str, NDArray[np.float64]]
"""The samples that each basis network gets right, or shares of them, (n,)."""

REASONS = (
    "the images may be normalised otherwise than these networks know them, the classes may be in "
    "another order than the labels', or an output may be no logits, such as behind a softmax"
)


def doubts(supernet: Supernet, task: Task) -> Iterator[str]:
    """Return a line for each thing that looks broken about a supernet's references.

    There are two: no basis network is better than always giving the commonest class; the ensemble
    is worse than each of its networks on the same samples, beyond chance. There are none where the
    networks cannot be measured (a search gives the reason), nor for agreement, whose labels are the
    ensemble's own answers.
    """
    if task.measure == AGREEMENT:
        return
    order = torch.randperm(len(task.validation), generator=torch.Generator().manual_seed(0))
    samples = task.validation.taken(order[:SAMPLES].sort().values)
    device = next(iter(supernet.tensors().values()), torch.zeros(0)).device
    workers = min(available_cores(), WORKERS) if device.type == "cpu" else 1
    form = NumericsConfig(channels_last=False, batch=BATCH, workers=workers)
    # Networks that the supernet's output cannot be are looked at too, so without its switches.
    bare = Matching((), 0, 0, "none")
    unstitched = Supernet(supernet.basis_networks, bare, averaging=supernet.averaging)
    shown = {*unstitched.names} | ({ENSEMBLE} & {*supernet.outputs})
    references = {name: one for name, one in unstitched.references().items() if name in shown}
    with suppress(NetstitchError):
        evaluator = Evaluator(unstitched, task, samples, form, device=device)
        found = evaluator.measured_together(list(references.values()), task.correct)
        right = {
            name: correct.double().cpu().numpy()
            for name, (correct,) in zip(references, found, strict=True)
        }
        alone = {name: right[name] for name in unstitched.names}
        if task.guessed is not None:
            yield from _at_chance(alone, samples.labels, task.guessed(samples.labels).numpy())
        if ENSEMBLE in right:
            yield from _worse(alone, right[ENSEMBLE])


def _at_chance(alone: Right, labels: Tensor, guessed: NDArray[np.float64]) -> Iterator[str]:
    """Yield a line where no network beats `guessed` (n,), the commonest class as every answer."""
    # Half of what chance leaves is enough where samples are too few for a test.
    halfway = (1 + guessed.mean()) / 2
    if not any(
        right.mean() >= halfway
        or p_better(right, guessed) <= ABOVE_CHANCE
        or _tells_apart(right, labels)
        for right in alone.values()
    ):
        yield (
            f"every network is at chance on {len(guessed):,} validation samples ({_shares(alone)}; "
            f"{100 * guessed.mean():.1f} % have the commonest class): {REASONS}"
        )


def _tells_apart(right: NDArray[np.float64], labels: Tensor) -> bool:
    """Return whether a network tells classes apart, though it may be right no more than a guess.

    That happens where nearly all samples have one class. An answer that does not depend on the
    sample has class-wise accuracies of sum 1.
    """
    if labels.ndim != 1:
        return False
    classes = labels.numpy()
    counts, hits = np.bincount(classes), np.bincount(classes, weights=right)
    counts, hits = counts[counts > 0], hits[counts > 0]
    likely = (hits + 0.5) / (counts + 1)
    deviation = np.sqrt((likely * (1 - likely) / counts).sum())
    return bool((hits / counts).sum() - 1 > norm.isf(ABOVE_CHANCE) * deviation)


def _worse(alone: Right, ensemble: NDArray[np.float64]) -> Iterator[str]:
    if all(p_better(right, ensemble) < WORSE for right in alone.values()):
        yield (
            f"the ensemble is worse than each of its networks on {len(ensemble):,} validation "
            f"samples ({100 * ensemble.mean():.1f} %; {_shares(alone)}): {REASONS}"
        )


def _shares(alone: Right) -> str:
    return ", ".join(f"{name} {100 * right.mean():.1f} %" for name, right in alone.items())

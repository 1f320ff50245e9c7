"""Doubts about the references: networks that do not look as if they worked.

Networks that are fed images of another normalisation, or whose classes have another order than the
labels', give results that look like any others. So the basis networks and their ensemble are looked
at before anything is fitted or searched, on some of the validation samples.
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
"""Validation samples that are looked at, at most, how many at once, and in how many threads: of
networks for large maps no more fit into memory."""
ABOVE_CHANCE, WORSE = 0.05, 0.01
"""Levels of the tests: what is not above chance is told of, and what is worse."""

Right = Mapping[str, NDArray[np.float64]]
"""The samples that each basis network gets right, or shares of them, (n,)."""

REASONS = (
    "the images may be normalised otherwise than these networks know them, the classes may be in "
    "another order than the labels', or an output may be no logits, such as behind a softmax"
)


def doubts(supernet: Supernet, task: Task) -> Iterator[str]:
    """Tell, a line each, what looks broken about the references of a supernet.

    That every basis network does no better than to give the commonest class always; and that the
    ensemble is worse than each of its networks, on the same samples, beyond chance. Nothing is said
    where they cannot be measured, which a search says why, nor of agreement: its labels are what
    the ensemble itself gives.
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
    """Yield a line where no network beats `guessed`, (n,), always the commonest class."""
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
    """Return whether a network tells classes apart, be it right no more often than by guessing.

    So it is where nearly all samples have one class. What is given whatever is shown adds up to 1
    over the shares of each class that are right.
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

"""Doubts about the references: networks that do not look as if they worked.

Networks that are fed images of another normalisation, or whose classes have another order than the
labels', give results that look like any others. So the basis networks and their ensemble are looked
at before anything is fitted or searched, on some of the validation samples.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm
from torch import Tensor

from netstitch.analysis.front_point import ENSEMBLE
from netstitch.analysis.significance import p_better
from netstitch.errors import NetstitchError
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task, select
from netstitch.tasks.agreement import AGREEMENT
from netstitch.threads import available_cores, batch_workers

SAMPLES, BATCH, WORKERS = 512, 8, 8
"""Validation samples that are looked at, at most, how many at once, and in how many threads: of
networks for large maps no more fit into memory."""
ABOVE_CHANCE, WORSE = 0.05, 0.01
"""Levels of the tests: what is not above chance is told of, and what is worse."""

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
    with suppress(NetstitchError):
        order = torch.randperm(len(task.validation), generator=torch.Generator().manual_seed(0))
        samples = task.validation.taken(order[:SAMPLES].sort().values)
        looked = _look(supernet, task, samples)
        if task.guessed is not None:
            labels = samples.labels
            yield from _at_chance(looked, labels, task.guessed(labels).numpy())
        if ENSEMBLE in supernet.outputs:
            yield from _worse(looked)


@dataclass(frozen=True)
class _Looked:
    """The samples that each basis network and the ensemble get right, or shares of them, (n,)."""

    alone: Mapping[str, NDArray[np.float64]]
    ensemble: NDArray[np.float64]


def _look(supernet: Supernet, task: Task, samples: Samples) -> _Looked:
    place = next(iter(supernet.tensors().values()), torch.zeros(0)).device

    def look(inputs: Tensor, labels: Tensor) -> list[NDArray[np.float64]]:
        """Return which samples of a batch are right, (b,), for each network and the ensemble."""
        with torch.inference_mode():  # it holds for one thread only
            outputs = [
                select(network(inputs.to(place)), task.output).cpu()
                for network in supernet.networks
            ]
            outputs.append(task.combine(outputs, supernet.averaging.weights))
            keyed = [one if task.output is None else {task.output: one} for one in outputs]
            return [task.correct(one, labels).double().numpy() for one in keyed]

    workers = min(available_cores(), WORKERS) if place.type == "cpu" else 1
    with batch_workers(workers) as pool:
        labels = torch.split(samples.labels, BATCH)
        parts = list(pool.map(look, samples.batches(BATCH), labels))
    *alone, ensemble = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _Looked(dict(zip(supernet.names, alone, strict=True)), ensemble)


def _at_chance(looked: _Looked, labels: Tensor, guessed: NDArray[np.float64]) -> Iterator[str]:
    """Yield a line where no network beats `guessed`, (n,), always the commonest class."""
    # Half of what chance leaves is enough where samples are too few for a test.
    halfway = (1 + guessed.mean()) / 2
    if not any(
        right.mean() >= halfway
        or p_better(right, guessed) <= ABOVE_CHANCE
        or _tells_apart(right, labels)
        for right in looked.alone.values()
    ):
        found = ", ".join(f"{name} {100 * r.mean():.1f} %" for name, r in looked.alone.items())
        yield (
            f"every network is at chance on {len(guessed):,} validation samples ({found}; "
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


def _worse(looked: _Looked) -> Iterator[str]:
    if all(p_better(right, looked.ensemble) < WORSE for right in looked.alone.values()):
        found = ", ".join(f"{name} {100 * r.mean():.1f} %" for name, r in looked.alone.items())
        yield (
            f"the ensemble is worse than each of its networks on {len(looked.ensemble):,} "
            f"validation samples ({100 * looked.ensemble.mean():.1f} %; {found}): {REASONS}"
        )

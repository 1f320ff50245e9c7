"""Agreement with the ensemble: a task for those who have samples and no labels."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from netstitch.errors import DataError, NetstitchError
from netstitch.fitting.refinement.views import AS_THEY_ARE, Views
from netstitch.networks.probabilities import WAY_OUT, are_probabilities
from netstitch.tasks.classification import Classification
from netstitch.tasks.datasets.given import described
from netstitch.tasks.samples import Samples, check_samples
from netstitch.tasks.task_outputs import EnsembleKind, Outputs, average, nonfinite, select
from netstitch.text import one_line

AGREEMENT = "agreement with the ensemble"
BATCH = 32

RunNetwork = Callable[[Tensor], Outputs]
"""A network: from inputs (b, ...) to its outputs."""


def agreement(
    networks: Sequence[RunNetwork],
    *,
    validation: Samples,
    training: Samples | None = None,
    confirmation: Samples | None = None,
    test: Samples | None = None,
    output: str | None = None,
    ensemble: EnsembleKind = "logits",
    views: Views = AS_THEY_ARE,
    batch: int = BATCH,
) -> Classification:
    """Return the task of giving the class that the ensemble of some networks gives.

    What is measured is the share of samples on which a subnetwork and the ensemble agree, so the
    ensemble has 1. It says how much of the ensemble's behaviour a cheaper network keeps, and needs
    no labels: those of the samples do not count (see `unlabelled`).

    `networks` are modules in evaluation mode, or captured ones, and run `batch` samples at once.
    The other arguments are those of `Classification`.

    Raises:
        DataError: When networks' outputs are not (n, classes) alike, or not finite, and where some
            are probabilities and others logits.
    """
    check_samples(validation, training=training, confirmation=confirmation, test=test)
    members = list(networks) if isinstance(networks, Iterable) else []
    if not members or not all(map(callable, members)):
        raise DataError(
            f"networks are {described(networks)}; expected a list of them, the ensemble's members"
        )
    classes = 0

    def labelled(samples: Samples) -> Samples:
        nonlocal classes
        chosen = []
        for inputs in samples.batches(batch):
            logits = _ensemble(members, inputs, output, ensemble, samples.name)
            classes = logits.shape[1]
            chosen.append(logits.argmax(1))
        # The inputs are not read again to check them, and every label is one of the classes.
        return replace(samples, labels=torch.cat(chosen), mixed=False, checked=classes)

    parts = {"training": training, "confirmation": confirmation, "test": test}
    return Classification(
        validation=labelled(validation),
        **{part: labelled(samples) for part, samples in parts.items() if samples is not None},
        classes=classes,
        output=output,
        ensemble=ensemble,
        views=views,
        measure=AGREEMENT,
    )


def _run(network: RunNetwork, inputs: Tensor, part: str) -> Outputs:
    try:
        return network(inputs)
    except NetstitchError:
        raise
    except Exception as error:
        raise DataError(
            f"{part}: a network fails on inputs {tuple(inputs.shape)} ({one_line(error)}); "
            "expected samples that all networks take"
        ) from error


def _ensemble(
    networks: Sequence[RunNetwork],
    inputs: Tensor,
    output: str | None,
    ensemble: EnsembleKind,
    part: str,
) -> Tensor:
    """Return the ensemble's logits, (b, classes)."""
    with torch.inference_mode():
        # Copies, since a network may change what it is given.
        outputs = [select(_run(network, inputs.clone(), part), output) for network in networks]
    shapes = [tuple(one.shape) for one in outputs]
    if len(set(shapes)) != 1 or len(shapes[0]) != 2 or shapes[0][1] < 2:
        raise DataError(
            f"{part}: the networks' outputs have the shapes {', '.join(map(str, shapes))}; "
            "expected (samples, classes) of the same classes, give networks of one task"
        )
    soft = [are_probabilities(one) for one in outputs]
    # Those of a sigmoid are probabilities too, and do not sum to 1.
    if any(soft) and not all(are_probabilities(one, whole=False) for one in outputs):
        number = soft.index(True) + 1
        raise DataError(
            f"{part}: network {number} of {len(soft)} ends in probabilities and others in logits, "
            f"which cannot be averaged: {WAY_OUT}"
        )
    combined = average(outputs, None, ensemble)
    if nonfinite(combined).any():
        raise DataError(
            f"{part}: the ensemble's output is not finite for {int(nonfinite(combined).sum())} of "
            f"{len(combined)} samples; expected finite numbers, check the networks' weights"
        )
    return combined

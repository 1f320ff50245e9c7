"""How far a stitched network is from what it should behave as.

"outputs" compares what comes out: the Kullback-Leibler divergence of the class probabilities, per
pixel where outputs are maps (knowledge distillation; Hinton, Vinyals and Dean, 2015, at
temperature 1). "features" compares what the networks' last layers read. "labels" is the
cross-entropy against labels. The first two need no labels.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from netstitch.errors import FittingError
from netstitch.networks.graph import Graph
from netstitch.networks.probabilities import WAY_OUT
from netstitch.text import expected_one_of, one_line

OUTPUTS, FEATURES, LABELS = "outputs", "features", "labels"
LOSSES = (OUTPUTS, FEATURES, LABELS)

VOID = 255

LabelLoss = Callable[[Any, Tensor], Tensor]
"""Outputs as the network gives them, and labels (n, ...), to a scalar that has a gradient."""


def check_loss(loss: str | LabelLoss) -> None:
    """FittingError for a loss that is not known."""
    if callable(loss) or loss in LOSSES:
        return
    raise FittingError(
        f"unknown loss {loss!r}: {expected_one_of(loss, LOSSES)}, or a function of outputs and "
        "labels"
    )


def check_outputs(
    loss: str | LabelLoss, graph: Graph, probabilities: Collection[str | None] = ()
) -> None:
    """FittingError where a network's outputs are not what a loss compares.

    probabilities: keys of the outputs that hold such.
    """
    if callable(loss) or loss == FEATURES:
        return
    for key, name in graph.outputs:
        shape = graph.by_name[name].shape or ()
        if key in probabilities:
            what = "the output" if key is None else f"output {key!r}"
            raise FittingError(
                f"{what} holds probabilities already, and loss {loss!r} compares logits: for each "
                f"network, {WAY_OUT}; or leave its last softmax or sigmoid out, or use "
                "loss='features', or a function"
            )
        if len(shape) < 2 or shape[1] == 1:
            what = "the output" if key is None else f"output {key!r}"
            raise FittingError(
                f"{what} has shape ({', '.join(map(str, shape))}): loss {loss!r} compares two or "
                "more classes, (batch, classes, ...); use loss='features', or a function"
            )


def divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """KL(teacher || student) of (n, classes, ...) logits, the mean over images and pixels."""
    ours, theirs = student.log_softmax(1), teacher.log_softmax(1)
    return functional.kl_div(ours, theirs, reduction="none", log_target=True).sum(1).mean()


def distance(student: Tensor, teacher: Tensor, spread: float) -> Tensor:
    """|student - teacher|^2 of (n, features, ...), the mean over images, in units of `spread`.

    spread: mean of |teacher - its mean|^2 over many images, so that the images of a batch count
        alike, however few they are.
    """
    return ((student - teacher) ** 2).sum() / (len(student) * spread)


class OutputVariance:
    """Mean of |x - mean of x|^2 over images, gathered batch by batch."""

    def __init__(self) -> None:
        self._count = 0
        self._sum: Tensor | None = None
        self._squares = 0.0

    def add(self, values: Tensor) -> None:
        """values: (n, features, ...)."""
        own = values.double()
        self._count += len(own)
        self._sum = own.sum(0) if self._sum is None else self._sum + own.sum(0)
        self._squares += float((own**2).sum())

    @property
    def value(self) -> float:
        """1 where the images are all the same: a constant has no spread to be measured in."""
        if self._sum is None:
            return 1.0
        mean = float(((self._sum / self._count) ** 2).sum())
        found = self._squares / self._count - mean
        return found if found > 1e-12 * max(mean, 1e-12) else 1.0


def against_labels(outputs: Mapping[str | None, Tensor], labels: Tensor) -> Tensor:
    """Cross-entropy of each output, (n, classes, ...), against (n, ...) labels, summed.

    Of bytes, as label maps are, 255 is no class: such pixels do not count, and where no pixel does,
    the loss is 0.

    Raises FittingError for labels of another shape or type, or out of range.
    """
    try:
        maps = labels.dtype == torch.uint8
        ignored = VOID if maps else -100
        numbers = labels.long() if maps else labels
        if maps and bool((numbers == ignored).all()):  # the mean of nothing is none
            return sum((logits.sum() * 0.0 for logits in outputs.values()), torch.zeros(()))
        losses = [
            functional.cross_entropy(logits, numbers, ignore_index=ignored)
            for logits in outputs.values()
        ]
    except (RuntimeError, IndexError, ValueError) as error:
        shapes = " and ".join(str(tuple(logits.shape)) for logits in outputs.values())
        raise FittingError(
            f"labels {str(labels.dtype).removeprefix('torch.')} {tuple(labels.shape)} do not fit "
            f"outputs {shapes} ({one_line(error)}): give class numbers (batch, ...)"
        ) from error
    return sum(losses[1:], losses[0])


def by_function(loss: LabelLoss, outputs: Mapping[str | None, Tensor], labels: Tensor) -> Tensor:
    """A function's loss of outputs, as the network gives them; FittingError unless a scalar."""
    found = loss(outputs.get(None, outputs), labels)
    if not isinstance(found, Tensor) or found.dim():
        what = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else repr(found)[:40]
        raise FittingError(
            f"the loss function gives {what}: expected a scalar tensor, the mean over the batch"
        )
    return found


def last_layers(graph: Graph) -> tuple[str, ...]:
    """The nodes with weights closest to the outputs: linear layers or convolutions, by name.

    Walks back from the outputs, past what has no multiply-adds of its own.
    """
    found: list[str] = []
    pending: Sequence[str] = [name for _, name in graph.outputs]
    seen: set[str] = set()
    while pending:
        waiting: list[str] = []
        for name in pending:
            if name in seen:
                continue
            seen.add(name)
            if graph.by_name[name].multiply_adds:
                found.append(name)
            else:
                waiting.extend(graph.by_name[name].inputs)
        pending = waiting
    return tuple(found)

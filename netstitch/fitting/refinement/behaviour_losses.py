"""Losses that compare a stitched network with what it should behave as.

"outputs" compares what comes out: the Kullback-Leibler divergence of the class probabilities, per
pixel where outputs are maps (knowledge distillation; Hinton, Vinyals and Dean, 2015, at
temperature 1); it needs no labels. "labels" is the cross-entropy against labels.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from netstitch.errors import FittingError
from netstitch.networks.graph import Graph
from netstitch.networks.probabilities import WAY_OUT
from netstitch.text import one_line

LossName = Literal["outputs", "labels"]
LOSSES: tuple[LossName, ...] = get_args(LossName)

LabelLoss = Callable[[Any, Tensor], Tensor]
"""Outputs as the network gives them, and labels (n, ...), to a scalar that has a gradient."""

BehaviourLoss = LossName | LabelLoss

VOID = 255
"""The label of pixels that do not count, in maps of bytes."""


def check_outputs(
    loss: BehaviourLoss, graph: Graph, probabilities: Collection[str | None] = ()
) -> None:
    """Raise FittingError where a network's outputs are not what a loss compares.

    `probabilities` are the keys of the outputs that hold these instead of logits.
    """
    if callable(loss):
        return
    for key, name in graph.outputs:
        what = "the output" if key is None else f"output {key!r}"
        shape = graph.by_name[name].shape or ()
        if key in probabilities:
            raise FittingError(
                f"{what} holds probabilities already, and loss {loss!r} compares logits: for each "
                f"network, {WAY_OUT}; or leave its last softmax or sigmoid out, or give a "
                "function as the loss"
            )
        if len(shape) < 2 or shape[1] == 1:
            raise FittingError(
                f"{what} has shape ({', '.join(map(str, shape))}): loss {loss!r} compares two or "
                "more classes, (batch, classes, ...); give a function as the loss, or do not refine"
            )


def divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Return KL(teacher || student) of logits (n, classes, ...), averaged over images, pixels."""
    ours, theirs = student.log_softmax(1), teacher.log_softmax(1)
    return functional.kl_div(ours, theirs, reduction="none", log_target=True).sum(1).mean()


def against_labels(outputs: Mapping[str | None, Tensor], labels: Tensor) -> Tensor:
    """Return the cross-entropy of each output (n, classes, ...) against labels (n, ...), summed.

    In maps of bytes, 255 is no class: such pixels do not count, and where no pixel does, the loss
    is 0.

    Raises:
        FittingError: Labels are of another shape or type, or out of range.
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
    """Return a function's loss of outputs; raises FittingError unless it is a scalar tensor."""
    found = loss(outputs.get(None, outputs), labels)
    if not isinstance(found, Tensor) or found.dim():
        what = f"shape {tuple(found.shape)}" if isinstance(found, Tensor) else repr(found)[:40]
        raise FittingError(
            f"the loss function gives {what}: expected a scalar tensor, the mean over the batch"
        )
    return found

"""The weights of a network that are trained, and the result of training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from netstitch.errors import DataError, FittingError
from netstitch.networks.graph import WEIGHT
from netstitch.networks.inputs import check_inputs
from netstitch.networks.probabilities import WAY_OUT
from netstitch.supernet.decisions import AnySubnetwork
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task
from netstitch.tuning.tuning_settings import FineTuneSettings, Trained

NO_STITCHES = "the {what} has no stitches to train; train all of its weights, or another {what}"


@dataclass(frozen=True)
class HeldOut:
    """The mean divergence of outputs from a teacher's on held-out samples, in nats.

    Attributes:
        samples: The number of samples.
        before: The divergence before training.
        after: That of the state that was kept: never more.
    """

    samples: int
    before: float
    after: float


@dataclass(frozen=True)
class FineTuned:
    """The result of training.

    Attributes:
        weights: The trained weights, by the keys of `Supernet.tensors`.
        losses: The loss of each step; on labels the mean over branches. With a teacher, steps that
            led to divergence are left out.
        interrupted: Whether Ctrl-C ended it before its time.
        held_out: The divergence from the teacher, where there was one.
        halvings: How often training diverged and the rate was halved; 0 on labels.
    """

    weights: Mapping[str, Tensor]
    losses: tuple[float, ...]
    interrupted: bool
    held_out: HeldOut | None = None
    halvings: int = 0


def give(supernet: Supernet, weights: Mapping[str, Tensor]) -> None:
    """Write trained weights into a supernet; all of its networks that read them change."""
    own = supernet.tensors()
    with torch.no_grad():
        for key, tensor in weights.items():
            own[key].copy_(tensor)


def training_samples(supernet: Supernet, task: Task) -> Samples:
    """Return the samples that networks are trained on.

    Raises:
        DataError: There are none, or the networks do not take them.
        FittingError: The networks end in probabilities.
    """
    samples = task.training
    if samples is None:
        raise DataError("the task has no training samples; give some to train on")
    check_inputs(supernet.graphs, ("batch", *samples.shape), f"{samples.name}: a batch", DataError)
    if supernet.puts_out_probabilities(task.output):
        raise FittingError(
            "the networks end in probabilities, and the loss of training is of logits: for each, "
            f"{WAY_OUT}"
        )
    return samples


def trained_keys(supernet: Supernet, chosen: AnySubnetwork, trained: Trained) -> list[str]:
    """Return the keys of the tensors that are trained, in the order of the graph.

    Raises:
        FittingError: There are none.
    """
    keys = keys_to_train(supernet, chosen, trained)
    if not keys and trained == "stitches":
        raise FittingError(NO_STITCHES.format(what="network"))
    return keys


def keys_to_train(supernet: Supernet, chosen: AnySubnetwork, trained: Trained) -> list[str]:
    """Return the keys that `trained_keys` does, of which there may be none."""
    if trained == "stitches":
        stitches = supernet.stitch_weights()
        return [key for key in keys_read(supernet, chosen) if key in stitches]
    own = supernet.tensors()
    return [
        key
        for key in keys_read(supernet, chosen)
        if isinstance(own[key], nn.Parameter) and own[key].numel()
    ]


def keys_read(supernet: Supernet, chosen: AnySubnetwork) -> dict[str, None]:
    """Return the keys of all tensors that a network reads, in the order of the graph."""
    nodes = supernet.pruned_graph(chosen).nodes
    return dict.fromkeys(node.path for node in nodes if node.operation == WEIGHT)


def orders(count: int, settings: FineTuneSettings) -> Sequence[Tensor]:
    """Return the indices of each step's samples, of `count` samples."""
    generator = torch.Generator().manual_seed(settings.seed)
    return [
        part
        for _ in range(settings.epochs)
        for part in torch.split(torch.randperm(count, generator=generator), settings.batch_size)
    ]

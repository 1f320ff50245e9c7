"""Training one network of a supernet on the task itself, after it was found.

As the paper's supplement does: both branches of an ensemble are trained, each for itself, on the
task's loss. Norms keep their statistics and dropout stays off, as in the network that was found.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import cos, isfinite, nan, pi
from pathlib import Path
from time import monotonic
from typing import Literal

import torch
from torch import Tensor, nn

from netstitch.errors import DataError, FittingError
from netstitch.networks.graph import WEIGHT, Graph
from netstitch.networks.inputs import check_inputs
from netstitch.networks.module import build_module
from netstitch.networks.probabilities import WAY_OUT
from netstitch.stitching.genotype import check_genotype
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import AnyGenotype, Supernet
from netstitch.tasks import Samples, Task
from netstitch.tasks.task import Measure, as_task
from netstitch.threads import threads
from netstitch.tuning.tuning_checkpoint import fingerprint, read_checkpoint, write_checkpoint

Trained = Literal["stitches", "all"]
Progress = Callable[[int, int, str], None]
LEARNING_RATE, BATCH = 1e-4, 32
HIGHEST_RATE = 1e36
"""Float32 has little more."""
SAVED_EVERY = 60.0
"""Seconds of training that a kill may cost."""


@dataclass(frozen=True)
class FineTuned:
    """What training came to.

    weights: new values of what was trained, by the keys of `Supernet.tensors`. losses: of each
    step, the mean over branches. interrupted: whether Ctrl-C ended it before its time.
    """

    weights: Mapping[str, Tensor]
    losses: tuple[float, ...]
    interrupted: bool


def finetune(
    supernet: Supernet,
    task: Task,
    genotype: AnyGenotype,
    *,
    trained: Trained = "stitches",
    epochs: int = 1,
    learning_rate: float = LEARNING_RATE,
    batch_size: int = BATCH,
    seed: int = 1,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> FineTuned:
    """Train a genotype's network on the task's training samples; the supernet stays as it is.

    trained: its active stitches, or "all" its parameters. epochs: passes over the samples, in a
    random order by `seed`. learning_rate: of Adam's first step; it falls to 0 along a cosine.
    batch_size: samples a step. checkpoint: a file that says each minute, and after Ctrl-C, how far
    training is; where it is there, training goes on from it, to the same result, with as many
    threads as it began with. It is left for the caller to remove. progress: called after each step
    with steps done, steps in all, and a line of text.

    The loss is the cross-entropy against the labels, the sum over the branches of an ensemble.
    Ctrl-C ends training with what it came to so far; with a checkpoint it stays KeyboardInterrupt.

    Raises DataError without training samples, FittingError for a network without stitches of which
    only these are to be trained, for settings that cannot be used, and where training diverges;
    StorageError where the checkpoint cannot be written, is damaged, or of another training.
    """
    task = as_task(task)
    samples = task.training
    if samples is None:
        raise DataError("the task has no training samples; give some to train on")
    training_loss = task.training_loss
    if training_loss is None:
        raise DataError(
            f"a {task.kind} has no method training_loss; expected one that gives the "
            "loss of outputs and labels as a scalar tensor"
        )
    check_inputs(supernet.graphs, ("batch", *samples.shape), f"{samples.name}: a batch", DataError)
    _check(epochs, learning_rate, batch_size)
    chosen = check_genotype(supernet.cardinalities, genotype)
    supernet.check_fitted(chosen)
    if supernet.puts_out_probabilities(task.output):
        raise FittingError(
            "the networks end in probabilities, and the loss of training is of logits: for each, "
            f"{WAY_OUT}"
        )
    tensors = {key: tensor.detach().to(device) for key, tensor in supernet.tensors().items()}
    keys = _trained_keys(supernet, chosen, trained)
    with torch.inference_mode(False), torch.enable_grad():
        for key in keys:
            tensors[key] = nn.Parameter(tensors[key].clone())
        modules = [build_module(graph, tensors) for graph in _branches(supernet, chosen)]
        # A branch without a stitch of its own has nothing to train.
        branches = [module for module in modules if any(True for _ in module.parameters())]
        trained_tensors = {key: tensors[key] for key in keys}
        optimizer = torch.optim.Adam(trained_tensors.values(), lr=learning_rate)
        orders = _orders(len(samples), batch_size, epochs, seed)
        losses, mark, count = list[float](), "", torch.get_num_threads()
        if checkpoint is not None:
            settings = [trained, epochs, learning_rate, batch_size, seed, chosen.tolist()]
            mark = fingerprint({"settings": settings}, trained_tensors, samples)
            if checkpoint.exists():
                losses, count = read_checkpoint(checkpoint, mark, trained_tensors, optimizer)
        interrupted, whole, saved = False, True, monotonic()
        with threads(count):
            try:
                for indices in orders[len(losses) :]:
                    optimizer.param_groups[0]["lr"] = _rate(learning_rate, len(losses), len(orders))
                    optimizer.zero_grad()
                    loss = _descend(branches, training_loss, samples, indices, device)
                    _check_finite(loss, len(losses) + 1, len(orders), learning_rate)
                    whole = False
                    optimizer.step()
                    losses.append(loss)
                    whole = True
                    if checkpoint is not None and monotonic() - saved >= SAVED_EVERY:
                        write_checkpoint(checkpoint, mark, trained_tensors, optimizer, losses)
                        saved = monotonic()
                    if progress is not None:
                        progress(len(losses), len(orders), f"loss {loss:.4g}")
            except KeyboardInterrupt:
                if checkpoint is not None:
                    if whole:  # half a step is not kept: the one before it is there
                        write_checkpoint(checkpoint, mark, trained_tensors, optimizer, losses)
                    raise
                interrupted = True
    weights = {key: tensor.detach().cpu() for key, tensor in trained_tensors.items()}
    if not all(torch.isfinite(tensor).all() for tensor in weights.values()):  # of the last step
        _check_finite(nan, len(losses), len(orders), learning_rate)
    return FineTuned(weights, tuple(losses), interrupted)


def give(supernet: Supernet, weights: Mapping[str, Tensor]) -> None:
    """Put trained weights into a supernet, whose other networks that use them change too."""
    own = supernet.tensors()
    with torch.no_grad():
        for key, tensor in weights.items():
            own[key].copy_(tensor)


def _check(epochs: int, learning_rate: float, batch_size: int) -> None:
    if min(epochs, batch_size) < 1 or not 0 < learning_rate <= HIGHEST_RATE:
        raise FittingError(
            f"{epochs} epochs of batches of {batch_size} at a learning rate of {learning_rate}: "
            f"give 1 or more of each, and a rate over 0 and under {HIGHEST_RATE:g}"
        )


def _check_finite(loss: float, step: int, steps: int, learning_rate: float) -> None:
    if not isfinite(loss):
        raise FittingError(
            f"training diverged in step {step} of {steps} at a learning rate of "
            f"{learning_rate:g}: lower it"
        )


def _rate(first: float, step: int, steps: int) -> float:
    """The learning rate of a step, from 0 on: half a cosine from the first one to 0."""
    return first * (1 + cos(pi * step / steps)) / 2


def _trained_keys(supernet: Supernet, genotype: Genotype, trained: str) -> list[str]:
    """Keys of the tensors that are trained, in the order of the graph."""
    graph = supernet.pruned_graph(genotype)
    used = dict.fromkeys(node.path for node in graph.nodes if node.operation == WEIGHT)
    if trained == "stitches":
        stitches = supernet.stitch_weights()
        keys = [key for key in used if key in stitches]
        if not keys:
            raise FittingError(
                "the network has no stitches to train; train all of its weights, or another network"
            )
        return keys
    if trained != "all":
        raise FittingError(f"{trained!r} cannot be trained; give 'stitches' or 'all'")
    own = supernet.tensors()
    return [key for key in used if isinstance(own[key], nn.Parameter) and own[key].numel()]


def _branches(supernet: Supernet, genotype: Genotype) -> list[Graph]:
    """The network, or of an ensemble each of its networks by itself."""
    outputs = supernet.board.outputs
    alone = [outputs.index((one,)) for one in outputs[genotype[-1]] if (one,) in outputs]
    if len(alone) < len(outputs[genotype[-1]]):
        return [supernet.pruned_graph(genotype)]
    found = []
    for output in alone:
        branch = genotype.copy()
        branch[-1] = output
        found.append(supernet.pruned_graph(branch))
    return found


def _descend(
    branches: Sequence[nn.Module],
    training_loss: Measure,
    samples: Samples,
    indices: Tensor,
    device: torch.device | str,
) -> float:
    """Add the gradients of a step; its loss, the mean over branches."""
    inputs, labels = samples.inputs[indices].to(device), samples.labels[indices].to(device)
    total = 0.0
    for branch in branches:
        loss = training_loss(branch(inputs), labels)
        torch.autograd.backward(loss)
        total += float(loss.detach())
    return total / len(branches)


def _orders(count: int, batch: int, epochs: int, seed: int) -> Sequence[Tensor]:
    """Indices of each step."""
    generator = torch.Generator().manual_seed(seed)
    return [
        part
        for _ in range(epochs)
        for part in torch.split(torch.randperm(count, generator=generator), batch)
    ]

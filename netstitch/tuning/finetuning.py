"""Training one network of a supernet on the task itself, after it was found.

The paper's section 8 proposes it. Both branches of an ensemble are trained, each for itself, on the
task's loss. Norms keep their statistics and dropout stays off, as in the network that was found.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import cos, isfinite, nan, pi
from pathlib import Path
from time import monotonic
from typing import Annotated, Literal

import torch
from pydantic import AllowInfNan, Field
from torch import Tensor, nn

from netstitch.errors import DataError, FittingError
from netstitch.files.checkpoint import (
    TrainingCheckpoint,
    fingerprint_of,
    restore_training,
    training_tensors,
)
from netstitch.files.documents import Document
from netstitch.files.settings import Settings
from netstitch.networks.graph import WEIGHT, Graph
from netstitch.networks.inputs import check_inputs
from netstitch.networks.module import build_module
from netstitch.networks.probabilities import WAY_OUT
from netstitch.stitching.genotype import check_genotype
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.decisions import AnyGenotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task
from netstitch.tasks.task import Measure, as_task
from netstitch.threads import threads

Trained = Literal["stitches", "all"]
Progress = Callable[[int, int, str], None]
SAVED_EVERY = 60.0
"""Seconds of training that a kill may cost."""
COMPARED = 64
"""Inputs that tell sets of samples apart, with all of their labels; sets may be many gigabytes."""


class FineTuneSettings(Settings):
    """Settings of `finetune`."""

    refusal = FittingError
    called = "finetune"

    trained: Trained = "stitches"
    """The network's stitches, or all of its weights; by default stitches."""
    epochs: int = Field(default=1, ge=1)
    """Passes over the samples; by default 1."""
    learning_rate: float = Field(default=1e-4, gt=0, le=1e36)  # float32 has little more
    """The rate of Adam's first step; it falls to 0 along a cosine; by default 1e-4."""
    batch_size: int = Field(default=32, ge=1)
    """Samples a step; by default as many as the run's stitches were fitted on, or 32."""
    seed: int = Field(default=1, ge=0)
    """The seed of the samples' order; by default 1."""


class TuningState(Document):
    """The document of a checkpoint.

    Attributes:
        losses: Of each step so far.
        threads: Threads inside operations, on which last bits depend.
    """

    losses: tuple[Annotated[float, AllowInfNan(True)], ...]
    threads: Annotated[int, Field(ge=1, le=4096)]


@dataclass(frozen=True)
class FineTuned:
    """The result of training.

    Attributes:
        weights: New values of what was trained, by the keys of `Supernet.tensors`.
        losses: Of each step, the mean over branches.
        interrupted: Whether Ctrl-C ended it before its time.
    """

    weights: Mapping[str, Tensor]
    losses: tuple[float, ...]
    interrupted: bool


def finetune(
    supernet: Supernet,
    task: Task,
    genotype: AnyGenotype,
    settings: FineTuneSettings,
    *,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> FineTuned:
    """Train a genotype's network on the task's training samples; the supernet stays as it is.

    The loss is the cross-entropy against the labels, the sum over the branches of an ensemble.
    Ctrl-C ends training with what it came to so far; with a checkpoint it stays KeyboardInterrupt.

    Args:
        supernet: Holds the network.
        task: Gives the samples.
        genotype: The network.
        settings: What is trained, for how long and how fast.
        device: What trains.
        checkpoint: A file that says each minute, and after Ctrl-C, how far training is. If it is
            there, training goes on from it, to the same result, with as many threads as it began
            with. It is left for the caller to remove.
        progress: Called after each step with steps done, steps in all, and a line of text.

    Raises:
        DataError: There are no training samples.
        FittingError: The network ends in probabilities, or has no stitches, where only these are
            to be trained; or training diverges.
        StorageError: The checkpoint cannot be written, is damaged, or of another training.
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
    chosen = check_genotype(supernet.cardinalities, genotype)
    supernet.check_fitted(chosen)
    if supernet.puts_out_probabilities(task.output):
        raise FittingError(
            "the networks end in probabilities, and the loss of training is of logits: for each, "
            f"{WAY_OUT}"
        )
    tensors = {key: tensor.detach().to(device) for key, tensor in supernet.tensors().items()}
    keys = _trained_keys(supernet, chosen, settings.trained)
    with torch.inference_mode(False), torch.enable_grad():
        for key in keys:
            tensors[key] = nn.Parameter(tensors[key].clone())
        modules = [build_module(graph, tensors) for graph in _branches(supernet, chosen)]
        # A branch without a stitch of its own has nothing to train.
        branches = [module for module in modules if any(True for _ in module.parameters())]
        trained = {key: tensors[key] for key in keys}
        rate = settings.learning_rate
        optimizer = torch.optim.Adam(trained.values(), lr=rate)
        orders = _orders(len(samples), settings)
        file, losses, count = None, list[float](), torch.get_num_threads()
        if checkpoint is not None:
            fixed = {"genotype": chosen.tolist(), **settings.model_dump()}
            compared = [*trained.values(), samples.inputs[:COMPARED], samples.labels]
            mark = fingerprint_of(fixed, compared)
            file = TrainingCheckpoint(checkpoint, "netstitch-tuning-2", "fine-tuning", mark)
            if checkpoint.exists():
                with file.reading(TuningState) as (state, found):
                    restore_training(trained, optimizer, found)
                    losses, count = list(state.losses), state.threads

        def save() -> None:
            if file is not None:
                document = {"losses": losses, "threads": torch.get_num_threads()}
                file.write(document, training_tensors(trained, optimizer))

        interrupted, whole, saved = False, True, monotonic()
        with threads(count):
            try:
                for indices in orders[len(losses) :]:
                    step = len(losses)
                    optimizer.param_groups[0]["lr"] = rate * (1 + cos(pi * step / len(orders))) / 2
                    optimizer.zero_grad()
                    loss = _descend(branches, training_loss, samples, indices, device)
                    _check_finite(loss, step + 1, len(orders), rate)
                    whole = False
                    optimizer.step()
                    losses.append(loss)
                    whole = True
                    if monotonic() - saved >= SAVED_EVERY:
                        save()
                        saved = monotonic()
                    if progress is not None:
                        progress(len(losses), len(orders), f"loss {loss:.4g}")
            except KeyboardInterrupt:
                if whole:  # half a step is not kept: the one before it is there
                    save()
                if file is not None:
                    raise
                interrupted = True
    weights = {key: tensor.detach().cpu() for key, tensor in trained.items()}
    if not all(torch.isfinite(tensor).all() for tensor in weights.values()):  # of the last step
        _check_finite(nan, len(losses), len(orders), rate)
    return FineTuned(weights, tuple(losses), interrupted)


def give(supernet: Supernet, weights: Mapping[str, Tensor]) -> None:
    """Put trained weights into a supernet, whose other networks that use them change too."""
    own = supernet.tensors()
    with torch.no_grad():
        for key, tensor in weights.items():
            own[key].copy_(tensor)


def _check_finite(loss: float, step: int, steps: int, learning_rate: float) -> None:
    if not isfinite(loss):
        raise FittingError(
            f"training diverged in step {step} of {steps} at a learning rate of "
            f"{learning_rate:g}: lower it"
        )


def _trained_keys(supernet: Supernet, genotype: Genotype, trained: Trained) -> list[str]:
    """Return the keys of the tensors that are trained, in the order of the graph."""
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
    own = supernet.tensors()
    return [key for key in used if isinstance(own[key], nn.Parameter) and own[key].numel()]


def _branches(supernet: Supernet, genotype: Genotype) -> list[Graph]:
    """Return the network, or each network of an ensemble by itself."""
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
    """Add the gradients of a step, and return its loss, the mean over branches."""
    inputs, labels = samples.inputs[indices].to(device), samples.labels[indices].to(device)
    total = 0.0
    for branch in branches:
        loss = training_loss(branch(inputs), labels)
        torch.autograd.backward(loss)
        total += float(loss.detach())
    return total / len(branches)


def _orders(count: int, settings: FineTuneSettings) -> Sequence[Tensor]:
    """Return the indices of each step's samples."""
    generator = torch.Generator().manual_seed(settings.seed)
    return [
        part
        for _ in range(settings.epochs)
        for part in torch.split(torch.randperm(count, generator=generator), settings.batch_size)
    ]

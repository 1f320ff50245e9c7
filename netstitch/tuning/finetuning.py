"""Training one network of a supernet on the task itself, after it was found.

The paper's section 8 proposes it. Both branches of an ensemble are trained, each for itself, on the
task's loss; with a teacher, the network as a whole. Norms keep their statistics and dropout stays
off, as in the network that was found.
"""

from collections.abc import Sequence
from math import cos, isfinite, nan, pi
from pathlib import Path
from time import monotonic
from typing import Annotated

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
from netstitch.networks.graph import Graph
from netstitch.networks.module import build_module
from netstitch.stitching.genotype import check_genotype
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.decisions import AnyGenotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task
from netstitch.tasks.task import Measure, as_task
from netstitch.threads import threads
from netstitch.tuning.distilling import taught
from netstitch.tuning.teachers import Teacher
from netstitch.tuning.trained_weights import (
    SAVED_EVERY,
    FineTuned,
    Progress,
    orders,
    trained_keys,
    training_samples,
)
from netstitch.tuning.tuning_settings import LABELS, FineTuneSettings

COMPARED = 64
"""Inputs that tell sets of samples apart, with all of their labels; sets may be many gigabytes."""


class TuningState(Document):
    """The document of a checkpoint.

    Attributes:
        losses: Of each step so far.
        threads: Threads inside operations, on which last bits depend.
    """

    losses: tuple[Annotated[float, AllowInfNan(True)], ...]
    threads: Annotated[int, Field(ge=1, le=4096)]


def finetune_genotype(
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

    The loss is the cross-entropy against the labels, the sum over the branches of an ensemble; with
    a teacher in the settings, that of `distil`, of the network's output as a whole. Ctrl-C ends
    training with what it came to so far; with a checkpoint it stays KeyboardInterrupt.

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
            to be trained; there is no such teacher; or training diverges.
        StorageError: The checkpoint cannot be written, is damaged, or of another training.
    """
    task = as_task(task)
    samples = training_samples(supernet, task)
    chosen = check_genotype(supernet.cardinalities, genotype)
    supernet.check_fitted(chosen)
    if settings.teacher != LABELS:
        told = Teacher(supernet, settings.teacher, task.output, device)
        return taught(
            *(supernet, samples.inputs, chosen, told, settings),
            device=device,
            checkpoint=checkpoint,
            progress=progress,
        )
    training_loss = task.training_loss
    if training_loss is None:
        raise DataError(
            f"a {task.kind} has no method training_loss; expected one that gives the "
            "loss of outputs and labels as a scalar tensor"
        )
    tensors = {key: tensor.detach().to(device) for key, tensor in supernet.tensors().items()}
    keys = trained_keys(supernet, chosen, settings.trained)
    with torch.inference_mode(False), torch.enable_grad():
        for key in keys:
            tensors[key] = nn.Parameter(tensors[key].clone())
        modules = [build_module(graph, tensors) for graph in _branches(supernet, chosen)]
        # A branch without a stitch of its own has nothing to train.
        branches = [module for module in modules if any(True for _ in module.parameters())]
        trained = {key: tensors[key] for key in keys}
        rate = settings.learning_rate
        optimizer = torch.optim.Adam(trained.values(), lr=rate)
        order = orders(len(samples), settings)
        file, losses, count = None, list[float](), torch.get_num_threads()
        if checkpoint is not None:
            fixed = {"genotype": chosen.tolist(), **settings.model_dump(exclude={"teacher"})}
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
                for indices in order[len(losses) :]:
                    step = len(losses)
                    optimizer.param_groups[0]["lr"] = rate * (1 + cos(pi * step / len(order))) / 2
                    optimizer.zero_grad()
                    loss = _descend(branches, training_loss, samples, indices, device)
                    _check_finite(loss, step + 1, len(order), rate)
                    whole = False
                    optimizer.step()
                    losses.append(loss)
                    whole = True
                    if monotonic() - saved >= SAVED_EVERY:
                        save()
                        saved = monotonic()
                    if progress is not None:
                        progress(len(losses), len(order), f"loss {loss:.4g}")
            except KeyboardInterrupt:
                if whole:  # half a step is not kept: the one before it is there
                    save()
                if file is not None:
                    raise
                interrupted = True
    weights = {key: tensor.detach().cpu() for key, tensor in trained.items()}
    if not all(torch.isfinite(tensor).all() for tensor in weights.values()):  # of the last step
        _check_finite(nan, len(losses), len(order), rate)
    return FineTuned(weights, tuple(losses), interrupted)


def _check_finite(loss: float, step: int, steps: int, learning_rate: float) -> None:
    if not isfinite(loss):
        raise FittingError(
            f"training diverged in step {step} of {steps} at a learning rate of "
            f"{learning_rate:g}: lower it"
        )


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

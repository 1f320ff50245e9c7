"""Fine-tuning: trains one network of a supernet on the task itself, after it was found.

The paper's section 8 proposes it. On labels each branch of an ensemble has a loss of its own; with
a teacher the network is trained as a whole. Norms keep their statistics and dropout stays off, as
in the network that was found.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path

import torch
from torch import Tensor, nn

from netstitch.errors import DataError, FittingError
from netstitch.events import StepsCallback
from netstitch.networks.graph import Graph
from netstitch.networks.module import build_module
from netstitch.stitching.genotype import check_genotype
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.decisions import AnyGenotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task
from netstitch.tasks.task import Measure, as_task
from netstitch.tuning.distilling import taught
from netstitch.tuning.teachers import Teacher
from netstitch.tuning.trained_weights import (
    FineTuned,
    trained_keys,
    training_samples,
)
from netstitch.tuning.training_loop import TuningSteps, checkpoint_of, parameters_of, train
from netstitch.tuning.tuning_settings import LABELS, FineTuneSettings


def finetune_genotype(
    supernet: Supernet,
    task: Task,
    genotype: AnyGenotype,
    settings: FineTuneSettings,
    *,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    progress: StepsCallback | None = None,
) -> FineTuned:
    """Train a genotype's network on the task's training samples; the supernet stays as it is.

    The loss is the task's on the labels, summed over the branches of an ensemble; with a teacher in
    the settings it is that of `distil`. Ctrl-C ends training and returns the weights so far; with a
    checkpoint it stays KeyboardInterrupt.

    Args:
        supernet: Holds the network.
        task: Gives the samples.
        genotype: The network.
        settings: What is trained, for how long and how fast.
        device: What trains.
        checkpoint: A file that keeps the training each minute, after Ctrl-C and at the end. If it
            is there, training goes on from it, to the same result, with as many threads as it began
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
    keys = trained_keys(supernet, chosen, settings.trained)
    with torch.inference_mode(False), torch.enable_grad():
        tensors, trained = parameters_of(supernet, chosen, keys, device)
        modules = [build_module(graph, tensors) for graph in _branches(supernet, chosen)]
        # A branch without a stitch of its own has nothing to train.
        branches = [module for module in modules if any(True for _ in module.parameters())]
        steps = LabelSteps(branches, trained, training_loss, samples, settings, device)
        compared = [*tensors.values(), samples.inputs, samples.labels]
        file = checkpoint_of(checkpoint, supernet.pruned_graph(chosen), settings, compared)
        interrupted = train(steps, file, progress)
    weights = {key: tensor.detach().cpu() for key, tensor in trained.items()}
    if not all(torch.isfinite(tensor).all() for tensor in weights.values()):  # of the last step
        raise steps.diverged(len(steps.losses))
    return FineTuned(weights, tuple(steps.losses), interrupted)


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


class LabelSteps(TuningSteps):
    """The steps of training on a task's loss.

    Args:
        branches: The networks, each of which has a loss of its own.
        trained: Their parameters that are trained, by key; they are changed in place.
        training_loss: The loss of outputs and labels.
        samples: The training samples.
        settings: For how long, and how fast.
        device: Where it runs.
    """

    def __init__(
        self,
        branches: Sequence[nn.Module],
        trained: Mapping[str, nn.Parameter],
        training_loss: Measure,
        samples: Samples,
        settings: FineTuneSettings,
        device: torch.device | str,
    ) -> None:
        super().__init__(trained, len(samples), settings)
        self._branches, self._training_loss = branches, training_loss
        self._samples, self._device = samples, device

    def advance(self) -> None:
        """Do one step; raises FittingError where its loss is not finite."""
        loss = self._descend(self._begin_step())
        if not isfinite(loss):
            raise self.diverged(len(self.losses) + 1)
        self._end_step(loss)

    def diverged(self, step: int) -> FittingError:
        """Return the error of a training that diverged in a step."""
        return FittingError(
            f"training diverged in step {step} of {self.steps} at a learning rate of "
            f"{self.rate:g}: lower it"
        )

    def _descend(self, indices: Tensor) -> float:
        """Add the gradients of a step, and return its loss, the mean over branches."""
        inputs = self._samples.inputs[indices].to(self._device)
        labels = self._samples.labels[indices].to(self._device)
        total = 0.0
        for branch in self._branches:
            loss = self._training_loss(branch(inputs), labels)
            torch.autograd.backward(loss)
            total += float(loss.detach())
        return total / len(self._branches)

"""Trains a network of a supernet to give a teacher's outputs; resumable, and without labels."""

from pathlib import Path

import torch
from torch import Tensor

from netstitch.errors import DataError
from netstitch.events import StepsCallback
from netstitch.networks.module import build_module
from netstitch.supernet.decisions import AnySubnetwork
from netstitch.supernet.supernet import Supernet
from netstitch.tuning.distillation import Distillation, Lesson
from netstitch.tuning.teachers import Teacher
from netstitch.tuning.trained_weights import FineTuned, trained_keys
from netstitch.tuning.training_loop import checkpoint_of, parameters_of, train
from netstitch.tuning.tuning_settings import FineTuneSettings

HELD_OUT, MOST_HELD_OUT = 0.1, 1024
"""The share of the samples that is held out, and the most."""


def split_samples(count: int, settings: FineTuneSettings) -> tuple[Tensor, Tensor]:
    """Return the indices of the samples to train on, and of those that are held out.

    Raises:
        DataError: Those to train on are fewer than a batch.
    """
    held_out = min(MOST_HELD_OUT, max(1, round(HELD_OUT * count)))
    if count - held_out < settings.batch_size:
        raise DataError(
            f"{count} samples are there to train on, of which {held_out} are held out, and a batch "
            f"is {settings.batch_size}: give more samples, or a smaller batch_size"
        )
    order = torch.randperm(count, generator=torch.Generator().manual_seed(settings.seed))
    return order[held_out:], order[:held_out]


def taught(
    supernet: Supernet,
    inputs: Tensor,
    chosen: AnySubnetwork,
    teacher: Teacher,
    settings: FineTuneSettings,
    *,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    progress: StepsCallback | None = None,
) -> FineTuned:
    """Train a genotype's network on inputs (n, ...); see `distil`, which has the other arguments.

    Raises:
        DataError: There are fewer samples than a batch.
        FittingError: There is nothing to train, the network is its own teacher, or what `distil`
            raises.
    """
    keys = trained_keys(supernet, chosen, settings.trained)
    teacher.check_other(supernet, chosen)
    lesson = Lesson(teacher, inputs, *split_samples(len(inputs), settings))
    return distil(
        *(supernet, chosen, keys, lesson, settings),
        device=device,
        checkpoint=checkpoint,
        progress=progress,
    )


def distil(
    supernet: Supernet,
    chosen: AnySubnetwork,
    keys: list[str],
    lesson: Lesson,
    settings: FineTuneSettings,
    *,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    progress: StepsCallback | None = None,
) -> FineTuned:
    """Train a genotype's network or an exit as a whole; the supernet stays as it is.

    The best state on held-out samples is returned, which may be the one before training. Ctrl-C
    ends training with the best so far; with a checkpoint it stays KeyboardInterrupt.

    Args:
        supernet: Holds the network.
        chosen: The genotype or exit.
        keys: The keys of the tensors that are trained.
        lesson: The teacher and the samples.
        settings: For how long and how fast.
        device: What trains.
        checkpoint: A file that says each minute, after Ctrl-C and at the end how far training is,
            from which it goes on to the same result. It is left for the caller to remove.
        progress: Called after each step with steps done, steps in all, and a line of text.

    Raises:
        FittingError: Training diverges at all rates that are tried.
        StorageError: The checkpoint cannot be written, is damaged, or of another training.
    """
    graph = supernet.pruned_graph(chosen)
    with torch.inference_mode(False), torch.enable_grad():
        tensors, trained = parameters_of(supernet, chosen, keys, device)
        steps = Distillation(build_module(graph, tensors), trained, lesson, settings, device)
        compared = [*tensors.values(), *lesson.teacher.tensors, lesson.inputs, lesson.training]
        file = checkpoint_of(checkpoint, graph, settings, compared)
        interrupted = train(steps, file, progress)
    return FineTuned(
        {key: tensor.detach().cpu() for key, tensor in steps.best.items()},
        tuple(steps.losses),
        interrupted,
        steps.outcome,
        steps.halvings,
    )

"""Training a network of a supernet to give a teacher's outputs, resumable; no labels are needed."""

from pathlib import Path
from time import monotonic
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from netstitch.errors import DataError
from netstitch.files.checkpoint import (
    TrainingCheckpoint,
    fingerprint_of,
    restore_training,
    training_tensors,
)
from netstitch.files.documents import Document
from netstitch.networks.module import build_module
from netstitch.supernet.decisions import AnySubnetwork
from netstitch.supernet.supernet import Supernet
from netstitch.threads import threads
from netstitch.tuning.distillation import Distillation, Lesson
from netstitch.tuning.teachers import Teacher
from netstitch.tuning.trained_weights import SAVED_EVERY, FineTuned, Progress, trained_keys
from netstitch.tuning.tuning_settings import FineTuneSettings

HELD_OUT, MOST_HELD_OUT = 0.1, 1024
"""The share of the samples that is held out, and how many at most."""
COMPARED = 64
"""Inputs, spread evenly, that tell sets of samples apart."""
BEST = "best/"

Steps = Annotated[int, Field(ge=-1)]


class DistillationState(Document):
    """The document of a checkpoint: fields of `Distillation`, and threads inside operations."""

    losses: tuple[float, ...]
    looked: Steps
    best_at: Steps
    halvings: Steps
    before: float | None
    least: float | None
    threads: Annotated[int, Field(ge=1, le=4096)]


def split_samples(count: int, settings: FineTuneSettings) -> tuple[Tensor, Tensor]:
    """Return the indices of samples that are trained on, and of those that are held out.

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
    progress: Progress | None = None,
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
    progress: Progress | None = None,
) -> FineTuned:
    """Train a genotype's network or an exit as a whole; the supernet stays as it is.

    The best state on held-out samples is returned, which may be the one before training. Ctrl-C
    ends training with the best so far; with a checkpoint it stays KeyboardInterrupt.

    Args:
        supernet: Holds the network.
        chosen: The genotype or exit.
        keys: Of the tensors that are trained.
        lesson: What is learned.
        settings: For how long and how fast.
        device: What trains.
        checkpoint: A file that says each minute, after Ctrl-C and at the end how far training is,
            from which it goes on to the same result. It is left for the caller to remove.
        progress: Called after each step with steps done, steps in all, and a line of text.

    Raises:
        FittingError: Training diverges at all rates that are tried.
        StorageError: The checkpoint cannot be written, is damaged, or of another training.
    """
    graph, weights = supernet.subnetwork_graph(chosen)
    tensors = {key: tensor.detach().to(device) for key, tensor in weights.items()}
    interrupted = False
    with torch.inference_mode(False), torch.enable_grad():
        trained = {key: nn.Parameter(tensors[key].clone()) for key in keys}
        student = build_module(graph, tensors | trained)
        training = Distillation(student, trained, lesson, settings, device)
        file, count = None, torch.get_num_threads()
        if checkpoint is not None:
            fixed = {"graph": [node.name for node in graph.nodes], **settings.model_dump()}
            compared = [
                *weights.values(),
                *lesson.teacher.tensors,
                lesson.inputs[:: -(-len(lesson.inputs) // COMPARED)],
                lesson.training,
            ]
            mark = fingerprint_of(fixed, compared)
            file = TrainingCheckpoint(checkpoint, "netstitch-distilling-1", "fine-tuning", mark)
            if checkpoint.exists():
                count = _restore(file, training)
        saved = monotonic()
        with threads(count):
            try:
                while not training.ended:
                    training.advance()
                    if file is not None and monotonic() - saved >= SAVED_EVERY:
                        _save(file, training)
                        saved = monotonic()
                    if progress is not None:
                        progress(len(training.losses), training.steps, _text(training))
                if file is not None:
                    _save(file, training)
            except KeyboardInterrupt:
                if file is not None:
                    if training.whole:  # half a step is not kept: the one before it is there
                        _save(file, training)
                    raise
                interrupted = True
    return FineTuned(
        {key: tensor.detach().cpu() for key, tensor in training.best.items()},
        tuple(training.losses),
        interrupted,
        training.outcome,
        training.halvings,
    )


def _text(training: Distillation) -> str:
    loss = f"loss {training.losses[-1]:.4g}, " if training.losses else ""
    halved = f", rate halved to {training.rate:.3g}" if training.halvings else ""
    return f"{loss}held out {training.before:.4g} before and {training.least:.4g} now{halved}"


def _save(file: TrainingCheckpoint, training: Distillation) -> None:
    began = training.looked >= 0
    document = {
        "losses": training.losses,
        "looked": training.looked,
        "best_at": training.best_at,
        "halvings": training.halvings,
        "before": training.before if began else None,
        "least": training.least if began else None,
        "threads": torch.get_num_threads(),
    }
    best = {BEST + key: tensor for key, tensor in training.best.items()}
    file.write(document, training_tensors(training.trained, training.optimizer) | best)


def _restore(file: TrainingCheckpoint, training: Distillation) -> int:
    """Bring a training to where its checkpoint is, and return the threads that it ran with."""
    with file.reading(DistillationState) as (state, found):
        own = {name: tensor for name, tensor in found.items() if not name.startswith(BEST)}
        restore_training(training.trained, training.optimizer, own)
        for key, tensor in training.best.items():
            tensor.copy_(found[BEST + key])
        training.losses = list(state.losses)
        training.looked, training.best_at = state.looked, state.best_at
        training.halvings = state.halvings
        if state.before is not None and state.least is not None:
            training.before, training.least = state.before, state.least
        return state.threads
    raise AssertionError  # what is read is returned, or the reader raises

"""`ns.finetune`: a point of a front is trained, in a copy of its supernet."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import TypedDict, Unpack

import numpy as np
import torch
from torch import Tensor, fx

from netstitch.analysis import CascadePoint, FrontPoint
from netstitch.analysis.front_choice import AnyPoint
from netstitch.errors import FittingError
from netstitch.events import StepsCallback
from netstitch.files.settings import check_names, with_keywords
from netstitch.stitching.cascade import Cascade
from netstitch.stitching.exit import Exit
from netstitch.supernet.decisions import AnyGenotype
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Task
from netstitch.tasks.datasets.given import described
from netstitch.tasks.task import as_task
from netstitch.tuning.cascade_tuning import taught_cascade
from netstitch.tuning.finetuning import finetune_genotype
from netstitch.tuning.teachers import Teacher
from netstitch.tuning.trained_weights import FineTuned, HeldOut, give
from netstitch.tuning.tuning_settings import LABELS, FineTuneSettings, Trained


class FineTuneKeywords(TypedDict, total=False):
    """Keywords of `ns.finetune` that are fields of `FineTuneSettings`."""

    trained: Trained
    epochs: int
    learning_rate: float
    batch_size: int
    seed: int


@dataclass(frozen=True)
class TunedPoint:
    """A network or cascade that was trained.

    Attributes:
        supernet: A copy of the one that was given, with the trained weights; they share no tensor.
            Its other subnetworks read the trained tensors too, and are not what they were.
        subnetwork: What `Supernet.subnetwork` and `ns.export` take; a cascade with new thresholds.
        trainings: The training; of a cascade, that of each stage that was trained.
        held_out: The divergence from the teacher on held-out samples, where there was a teacher.
    """

    supernet: Supernet
    subnetwork: tuple[int, ...] | Cascade
    trainings: tuple[FineTuned, ...]
    held_out: HeldOut | None = None

    @property
    def module(self) -> fx.GraphModule:
        """The same as an ordinary PyTorch module.

        For a cascade of networks with several outputs, call `Supernet.subnetwork` with one of them.
        """
        return self.supernet.subnetwork(self.subnetwork)


@with_keywords(FineTuneSettings, FineTuneKeywords)
def finetune(
    supernet: Supernet,
    point: AnyPoint | AnyGenotype | Cascade,
    task: Task,
    *,
    teacher: str | None = None,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    progress: StepsCallback | None = None,
    **options: Unpack[FineTuneKeywords],
) -> TunedPoint:
    """Return a network or cascade of a front, trained on the task's samples; all else stays.

    With a teacher no labels are needed: the network learns its outputs. A tenth of the samples,
    1,024 at most, is held out, and the state that is best on these is kept: it is never worse there
    than before training. Gradients are clipped; where training diverges, it goes back to the best
    state and on at half the rate.

    A cascade learns from a teacher only: its first stage on all samples, later ones on the samples
    that reach them. Each trains the weights that no earlier stage reads. Thresholds are chosen
    anew, so that as many validation samples go on as before.

    Ctrl-C ends the training of a network or a stage, and the weights so far are returned; while
    thresholds are chosen it stays KeyboardInterrupt. With a checkpoint it always does, and the same
    call goes on.

    Args:
        supernet: The supernet that the point is of.
        point: A network or cascade of its front, or a reference; or a genotype, or a cascade.
        task: Has the training samples.
        teacher: "ensemble", or the name of a basis network; by default none: the samples' labels
            are learned.
        device: What trains.
        checkpoint: A file that says how far training is, from which it goes on to the same bits. It
            is left for the caller to remove. Later stages of a cascade have a file each, with their
            number behind the name.
        progress: Called after each step with steps done, steps in all, and a line of text.
        **options: Fields of `netstitch.tuning.FineTuneSettings`.

    Raises:
        DataError: There are no training samples, or with a teacher fewer than a batch.
        FittingError: The point is no network or cascade, or a cascade without a teacher; there is
            no such teacher, or nothing to train; training diverges, or no threshold can be chosen.
        StorageError: The checkpoint cannot be written, is damaged, or of another training.
    """
    check_names("finetune", options, signature(finetune).parameters, FittingError)
    settings = FineTuneSettings(teacher=LABELS if teacher is None else teacher, **options)
    chosen = _subnetwork_of(point)
    if isinstance(chosen, Cascade):
        if settings.teacher == LABELS:
            raise FittingError(
                "the point is a cascade, whose stages learn a teacher's outputs and not labels; "
                'give teacher="ensemble", or a network'
            )
        task = as_task(task)
        found = taught_cascade(
            *(supernet, task, chosen, Teacher(supernet, settings.teacher, task.output, device)),
            settings,
            device=device,
            checkpoint=checkpoint,
            progress=progress,
        )
        copy = _with_weights(supernet, found.weights)
        return TunedPoint(copy, found.cascade, found.trainings, found.held_out)
    training = finetune_genotype(
        *(supernet, task, chosen, settings),
        device=device,
        checkpoint=checkpoint,
        progress=progress,
    )
    copy = _with_weights(supernet, training.weights)
    return TunedPoint(copy, chosen, (training,), training.held_out)


def _with_weights(supernet: Supernet, weights: Mapping[str, Tensor]) -> Supernet:
    """Return a copy of a supernet with trained weights."""
    copy = deepcopy(supernet)
    give(copy, weights)
    return copy


def _subnetwork_of(point: object) -> tuple[int, ...] | Cascade:
    """Return the genotype or cascade of a point, which need not fit a supernet.

    Raises:
        FittingError: It is neither.
    """
    chosen = point.subnetwork if isinstance(point, FrontPoint | CascadePoint) else point
    if isinstance(chosen, Cascade):
        return chosen
    if isinstance(chosen, Exit):
        raise FittingError(
            "the point is an exit, and only networks and cascades are trained; give one of these"
        )
    if isinstance(chosen, str | bytes) or not isinstance(chosen, Sequence | np.ndarray):
        raise FittingError(
            f"the point is {described(point)}; give one of a front, such as "
            'front.pick(point="P3"), or a genotype'
        )
    return tuple(np.asarray(chosen).tolist())

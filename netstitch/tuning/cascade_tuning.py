"""Distillation of a cascade: each stage learns a teacher's outputs on the samples that reach it.

Stages are trained one after the other: the first on all samples, the next on those that go on from
it, and so on. A stage trains only weights that no earlier stage reads, since tensors that both read
are computed once, and stay as the earlier stage needs them.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from netstitch.cascades.answers import answer_rule
from netstitch.cascades.running import stages_of
from netstitch.errors import FittingError
from netstitch.events import Listener, Message, StepsCallback, warn
from netstitch.stitching.cascade import Cascade, CascadeStage
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Task
from netstitch.text import counted
from netstitch.tuning.cascade_decisions import (
    check_decisions,
    continuation_shares,
    continues,
    distance,
    with_new_threshold,
)
from netstitch.tuning.distillation import Lesson
from netstitch.tuning.distilling import distil, split_samples
from netstitch.tuning.teachers import Teacher
from netstitch.tuning.trained_weights import (
    NO_STITCHES,
    FineTuned,
    HeldOut,
    give,
    keys_read,
    keys_to_train,
    training_samples,
)
from netstitch.tuning.tuning_settings import FineTuneSettings, Trained


@dataclass(frozen=True)
class TaughtCascade:
    """A cascade after training.

    Attributes:
        cascade: The cascade with its new thresholds and temperatures.
        weights: The trained weights, by the keys of `Supernet.tensors`.
        trainings: The training of each stage that was trained.
        held_out: The divergence of the whole cascade's answers: never more than before.
    """

    cascade: Cascade
    weights: Mapping[str, Tensor]
    trainings: tuple[FineTuned, ...]
    held_out: HeldOut

    @property
    def training(self) -> FineTuned:
        """All trainings as one."""
        return FineTuned(
            self.weights,
            tuple(loss for one in self.trainings for loss in one.losses),
            any(one.interrupted for one in self.trainings),
            self.held_out,
            sum(one.halvings for one in self.trainings),
        )


def taught_cascade(
    supernet: Supernet,
    task: Task,
    cascade: Cascade,
    teacher: Teacher,
    settings: FineTuneSettings,
    *,
    device: torch.device | str = "cpu",
    checkpoint: Path | None = None,
    progress: StepsCallback | None = None,
    listener: Listener = warn,
) -> TaughtCascade:
    """Train the stages of a cascade in their order; the supernet stays as it is.

    Thresholds are chosen anew, so that as many validation samples as before go on. Where the
    trained cascade is no nearer to the teacher on the samples held out, it stays as it was.

    Args:
        supernet: Holds the stages.
        task: Gives the samples, and measures confidence.
        cascade: The cascade.
        teacher: Made beforehand, so that training does not change it.
        settings: What is trained in each stage, for how long and how fast.
        device: What trains.
        checkpoint: That of `distil` for the first stage; later stages have files of their own, see
            `checkpoints`.
        progress: Called after each step with steps of the stage done, in all, and a line of text.
        listener: Told of stages that are not trained.

    Raises:
        DataError: There are no training samples, or fewer than a batch.
        FittingError: There is nothing to train, training diverges, or no threshold can be chosen.
        SearchError: The task has no confidence.
        StitchingError: A stage does not fit the supernet, or was never fitted.
        StorageError: A checkpoint cannot be written, is damaged, or of another training.
    """
    samples = training_samples(supernet, task)
    rule = answer_rule(supernet, task, cascade.confidence)
    stages_of(supernet, cascade)
    supernet.check_fitted(cascade)
    check_decisions(supernet, cascade)
    keys = _keys_of_stages(supernet, cascade, settings.trained)
    training, held_out = split_samples(len(samples), settings)
    shares = continuation_shares(supernet, rule, cascade, device)
    copy, reached = deepcopy(supernet), torch.ones(len(samples), dtype=torch.bool)
    done: list[CascadeStage] = []
    found: list[FineTuned] = []
    for place, (stage, own) in enumerate(zip(cascade.stages, keys, strict=True)):
        parts = training[reached[training]], held_out[reached[held_out]]
        changed = {key for one in found for key in one.weights}
        few = len(parts[0]) < settings.batch_size or not len(parts[1])
        if teacher.same(supernet, stage.subnetwork) and changed.isdisjoint(
            keys_read(supernet, stage.subnetwork)
        ):
            listener(Message(f"stage {place + 1} is the teacher, {teacher.name!r}, and stays"))
        elif own and few:
            what = f"{counted(len(parts[0]), 'sample')} to train on, {len(parts[1])} held out"
            listener(Message(f"stage {place + 1} is not trained: {what} reach it", warning=True))
        elif own and not any(one.interrupted for one in found):
            one = distil(
                *(copy, stage.subnetwork, own, Lesson(teacher, samples.inputs, *parts), settings),
                device=device,
                checkpoint=checkpoints(checkpoint, cascade)[place] if checkpoint else None,
                progress=_named(progress, place + 1),
            )
            give(copy, one.weights)
            found.append(one)
        share = shares[place] if place < len(shares) else None
        done.append(with_new_threshold(copy, rule, done, stage, share, device))
        if share is not None:
            reached = continues(copy, rule, done, samples, device)
    tuned, unseen = replace(cascade, stages=tuple(done)), samples.taken(held_out)
    before = distance(supernet, rule, cascade, teacher, unseen, device)
    after = distance(copy, rule, tuned, teacher, unseen, device)
    trainings = tuple(found)
    if not after < before:
        text = f"the cascade stays as it was: trained, it is {after:.4g} nats from the teacher on "
        listener(Message(f"{text}the samples held out, and {before:.4g} before", warning=True))
        return TaughtCascade(cascade, {}, trainings, HeldOut(len(unseen), before, before))
    weights = {key: tensor for one in found for key, tensor in one.weights.items()}
    return TaughtCascade(tuned, weights, trainings, HeldOut(len(unseen), before, after))


def checkpoints(first: Path, cascade: Cascade) -> list[Path]:
    """Return the checkpoint of each stage: `first`, and behind it `first`-2 and so on."""
    numbers = range(2, len(cascade.stages) + 1)
    return [first, *(first.with_name(f"{first.name}-{number}") for number in numbers)]


def _keys_of_stages(supernet: Supernet, cascade: Cascade, trained: Trained) -> list[list[str]]:
    """Return the keys that each stage trains: those that it reads and no earlier one does."""
    read: set[str] = set()
    found = []
    for stage in cascade.stages:
        keys = keys_to_train(supernet, stage.subnetwork, trained)
        found.append([key for key in keys if key not in read])
        read |= keys_read(supernet, stage.subnetwork).keys()
    if not any(found):
        raise FittingError(NO_STITCHES.format(what="cascade"))
    return found


def _named(progress: StepsCallback | None, number: int) -> StepsCallback | None:
    """Return a callback that names the stage in the progress of its training."""
    if progress is None:
        return None
    return lambda done, total, text: progress(done, total, f"stage {number}, {text}")

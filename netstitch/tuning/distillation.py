"""Distillation: steps towards a teacher's outputs, keeping the best state.

At regular looks the loss on held-out samples is measured, and the best state so far is kept. Where
that loss has risen far above the best, or a step is not finite, training has diverged: it goes back
to the best state, and on from there at half the rate.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf, isfinite
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from netstitch.errors import FittingError
from netstitch.files.checkpoint import Tensors
from netstitch.tuning.teachers import Teacher
from netstitch.tuning.trained_weights import HeldOut
from netstitch.tuning.training_loop import TuningState, TuningSteps
from netstitch.tuning.tuning_settings import FineTuneSettings

CLIP = 1.0
"""The most that the norm of a step's gradients may be."""
LOOKS = 10
"""Looks at held-out samples, evenly spread; before the first of them also after 1, 2, 4, ... steps,
where a rate that is too high shows."""
RISEN, SLACK, OF_START = 2.0, 1e-3, 0.1
"""Training has diverged where the held-out loss is over RISEN times the least so far, and exceeds
it by SLACK nats and by the share OF_START of the loss before training."""
HALVINGS = 20
"""The most times that the rate is halved."""
BEST = "best/"
"""The prefix of the best state's tensors in a checkpoint."""

StepCount = Annotated[int, Field(ge=-1)]


class DistillationState(TuningState):
    """The document of a checkpoint; the fields are attributes of `Distillation`."""

    looked: StepCount
    best_at: StepCount
    halvings: StepCount
    before: float | None
    least: float | None


@dataclass(frozen=True)
class Lesson:
    """A teacher, and the samples from which its outputs are learned.

    Attributes:
        teacher: Gives the outputs to learn.
        inputs: All samples, (n, ...).
        training: Indices of those that are trained on.
        held_out: Indices of those that are not.
    """

    teacher: Teacher
    inputs: Tensor
    training: Tensor
    held_out: Tensor


class Distillation(TuningSteps):
    """The steps of training towards a teacher's outputs.

    Args:
        student: The network.
        trained: Its parameters that are trained, by key; they are changed in place.
        lesson: What it learns.
        settings: For how long, and how fast.
        device: Where it runs.

    Attributes:
        looked: The number of steps at the last look; -1 before the first.
        before: The held-out loss before training, once looked at.
        least: The held-out loss of the best state.
        best_at: The number of steps that led to the best state.
        best: The best state, by key.
        halvings: How often the rate was halved.
    """

    document = DistillationState

    def __init__(
        self,
        student: nn.Module,
        trained: Mapping[str, nn.Parameter],
        lesson: Lesson,
        settings: FineTuneSettings,
        device: torch.device | str,
    ) -> None:
        self.looked, self.best_at, self.halvings = -1, 0, 0
        self.before = self.least = inf
        super().__init__(trained, len(lesson.training), settings)
        self._student, self._lesson, self._device = student, lesson, device
        self._looks = looks(self.steps)
        self.best = self._copies()

    @property
    def rate(self) -> float:
        """The learning rate that steps begin with."""
        return self.settings.learning_rate / 2.0**self.halvings

    @property
    def ended(self) -> bool:
        """True where all is done."""
        return self.looked == self.steps or self.halvings > HALVINGS

    @property
    def text(self) -> str:
        """The last loss, and those of the samples held out."""
        loss = f"loss {self.losses[-1]:.4g}, " if self.losses else ""
        halved = f", rate halved to {self.rate:.3g}" if self.halvings else ""
        return f"{loss}held out {self.before:.4g} before and {self.least:.4g} now{halved}"

    @property
    def outcome(self) -> HeldOut | None:
        """Held-out losses before training and of the best state; None before the first look."""
        if self.looked < 0:
            return None
        return HeldOut(len(self._lesson.held_out), self.before, self.least)

    def state(self) -> DistillationState:
        """Return the document of a checkpoint."""
        began = self.looked >= 0
        return DistillationState(
            **super().state().model_dump(),
            looked=self.looked,
            best_at=self.best_at,
            halvings=self.halvings,
            before=self.before if began else None,
            least=self.least if began else None,
        )

    def tensors(self) -> Tensors:
        """Return the tensors of a checkpoint, the best state's among them."""
        return super().tensors() | {BEST + key: tensor for key, tensor in self.best.items()}

    def restore(self, state: TuningState, tensors: Tensors) -> None:
        """Set it to a state and tensors from a checkpoint."""
        assert isinstance(state, DistillationState)
        own = {name: tensor for name, tensor in tensors.items() if not name.startswith(BEST)}
        super().restore(state, own)
        for key, tensor in self.best.items():
            tensor.copy_(tensors[BEST + key])
        self.looked, self.best_at, self.halvings = state.looked, state.best_at, state.halvings
        if state.before is not None and state.least is not None:
            self.before, self.least = state.before, state.least

    def advance(self) -> None:
        """Look at the held-out samples where that is due, or do one step.

        Raises:
            FittingError: Training diverges at all rates that are tried, or the loss is not finite
                before it begins.
        """
        if len(self.losses) in self._looks and self.looked < len(self.losses):
            self._look()
        else:
            self._step()

    def _look(self) -> None:
        step, loss = len(self.losses), self._held_out_loss()
        if step == 0 and not isfinite(loss):
            raise FittingError(
                "the network's outputs or the teacher's are not finite before training; choose "
                "another network"
            )
        if step and not loss <= bound(self.least, self.before):
            self._halve()
            return
        copies = self._copies() if loss < self.least else None
        self.whole = False
        if copies is not None:
            self.best, self.least, self.best_at = copies, loss, step
        if step == 0:
            self.before = loss
        self.looked = step
        self.whole = True

    def _step(self) -> None:
        loss = self._loss(self._lesson.training[self._begin_step()])
        torch.autograd.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.trained.values(), CLIP)
        if isfinite(float(loss.detach())) and isfinite(float(norm)):
            self._end_step(float(loss.detach()))
        else:
            self._halve()

    def _halve(self) -> None:
        """Go back to the best state, at half the rate."""
        if self.halvings == HALVINGS and self.best_at == 0:
            raise FittingError(
                f"training diverges at all learning rates from {self.settings.learning_rate:g} "
                f"down to {self.rate:g}: give a lower one"
            )
        self.whole = False
        self.halvings += 1
        with torch.no_grad():
            for key, tensor in self.best.items():
                self.trained[key].copy_(tensor)
        self.optimizer = self._new_optimizer()
        del self.losses[self.best_at :]
        self.looked = self.best_at
        self.whole = True

    def _held_out_loss(self) -> float:
        total = 0.0
        with torch.no_grad():
            for part in torch.split(self._lesson.held_out, self.settings.batch_size):
                total += float(self._loss(part)) * len(part)
        return total / len(self._lesson.held_out)

    def _loss(self, indices: Tensor) -> Tensor:
        return self._lesson.teacher.loss(
            self._student, self._lesson.inputs[indices].to(self._device)
        )

    def _copies(self) -> dict[str, Tensor]:
        return {key: tensor.detach().clone() for key, tensor in self.trained.items()}


def bound(least: float, before: float) -> float:
    """Return the held-out loss above which training has diverged, from the least and the first."""
    return max(RISEN * least, least + SLACK, least + OF_START * before)


def looks(steps: int) -> frozenset[int]:
    """Return the numbers of steps after which there is a look, from 0 to all."""
    every = ceil(steps / LOOKS)
    early: Sequence[int] = [2**power for power in range(every.bit_length()) if 2**power < every]
    return frozenset((0, *early, *range(every, steps, every), steps))

"""The budget of a refining, its held-out curve, and the file from which it goes on."""

from collections.abc import Callable
from math import ceil
from pathlib import Path
from sys import maxsize

from torch import Tensor

from netstitch.events import Listener, Message
from netstitch.files.checkpoint import (
    TrainingCheckpoint,
    fingerprint_of,
    restore_training,
    training_tensors,
)
from netstitch.files.documents import Count, Document, Seconds
from netstitch.files.folders import as_path
from netstitch.fitting.feature_stream import ProgressCallback
from netstitch.fitting.refinement.refine_report import CurvePoint, LossValue
from netstitch.fitting.refinement.refine_training import SIDES, Training
from netstitch.time_limits import OVERTIME, Throughput

CURVE_POINTS = 10
"""Times that the held-out curve is measured."""

MEASURED, EARLY = 3, 0.1
"""Steps by whose pace those that the time allows are first foreseen, and the share of the time
after which fewer have to do."""


class RefineState(Document):
    """The document of a checkpoint."""

    elapsed: Seconds
    step: Count
    generator: dict[str, object]
    gains: tuple[tuple[LossValue, ...], ...]
    strikes: dict[Count, Count]
    diverged: dict[Count, Count]
    curve: tuple[CurvePoint, ...]
    pace: tuple[tuple[Seconds, Count], ...] = ()  # of earlier versions unknown, as is the next
    measuring: Seconds = 0.0


def checkpoint_of(
    path: Path | str, training: Training, settings: dict[str, object]
) -> TrainingCheckpoint:
    """Return the checkpoint of a training that has not begun.

    Equal must be settings, stitches, images and labels. The budget may change: training that was
    stopped can be given more or less of it.
    """
    left_out = {"steps", "seconds"}
    if not training.settings.views.some:
        left_out.add("views")  # so that trainings of versions without views can go on
    fixed = {key: value for key, value in settings.items() if key not in left_out}
    tensors = [tensor for pair in training.first for tensor in pair]
    for part in (training.parts.train, training.parts.choose, training.parts.report):
        tensors += [part.inputs] if part.labels is None else [part.inputs, part.labels]
    file = as_path(path, "checkpoint")
    return TrainingCheckpoint(
        file, "netstitch-refining-5", "refining", fingerprint_of(fixed, tensors)
    )


class RefineLog:
    """Steps and seconds spent: what is left of the budget, reported and saved.

    Args:
        training: The training, with its budget among the settings.
        measure: Returns the held-out loss.
        checkpoint: A file to save to, every so many seconds, and to go on from where it exists.
        every: These seconds.
        clock: Gives the time in seconds.
        progress: As of `refine`.
        listener: As of `refine`.

    Raises:
        StorageError: The checkpoint cannot be written, is damaged, or of another refining; no step
            is done yet.
    """

    def __init__(
        self,
        training: Training,
        measure: Callable[[], float],
        *,
        checkpoint: TrainingCheckpoint | None,
        every: float,
        clock: Callable[[], float],
        progress: ProgressCallback | None,
        listener: Listener,
    ) -> None:
        self.training, self.measure = training, measure
        self.steps, self.seconds = training.settings.steps, training.settings.seconds
        self.checkpoint, self.every = checkpoint, every
        self.clock, self.progress, self.listener = clock, progress, listener
        self.curve: list[CurvePoint] = []
        self._throughput, self._measuring = Throughput(), 0.0
        self._told: bool | None = None  # whether what was told is a warning
        self._begin = self._step_began = clock()
        if checkpoint is not None and checkpoint.exists():
            self._go_on_from(checkpoint)
        self.save()

    @property
    def elapsed(self) -> float:
        """Seconds of training, those before a checkpoint included."""
        return self.clock() - self._begin

    @property
    def fraction(self) -> float:
        """Part of the training that is done, which its schedule follows: by steps if given.

        So a limit of time, where it is not reached, does not change the result.
        """
        if self.steps is not None:
            return self.training.step / self.steps
        return self._of_time

    @property
    def spent(self) -> bool:
        """True where the budget of steps or that of time is spent.

        That of time is spent, after one step at least, where the next step would end more than a
        twentieth beyond it.
        """
        if self.steps is not None and self.training.step >= self.steps:
            return True
        if self.seconds is None or self.training.step == 0:
            return False
        left = OVERTIME * self.seconds - self.elapsed
        return self._of_time >= 1 or self._throughput.fitting(left) == 0

    @property
    def _of_time(self) -> float:
        return self.elapsed / self.seconds if self.seconds is not None else 0.0

    def save(self) -> None:
        """Write the checkpoint, if there is one.

        Not while a step is half done: the file then keeps what was before.
        """
        training = self.training
        if self.checkpoint is not None and training.whole:
            state = RefineState(
                elapsed=self.elapsed,
                step=training.step,
                generator=dict(training.generator.bit_generator.state),
                gains=tuple(map(tuple, training.gains.losses)),
                strikes=training.strikes,
                diverged=training.diverged,
                curve=tuple(self.curve),
                pace=tuple(self._throughput.tasks),
                measuring=self._measuring,
            )
            tensors = training_tensors(_named(training), training.optimizer)
            self.checkpoint.write(state.model_dump(mode="json"), tensors)
        self._saved = self.clock()

    def _go_on_from(self, checkpoint: TrainingCheckpoint) -> None:
        """Bring the training to where its checkpoint left it."""
        training = self.training
        with checkpoint.reading(RefineState) as (state, tensors):
            training.generator.bit_generator.state = state.generator
            training.step = state.step
            training.strikes, training.diverged = state.strikes, state.diverged
            training.gains.losses = [list(each) for each in state.gains]
            training.gains.closed |= training.diverged.keys()
            restore_training(_named(training), training.optimizer, tensors)
            for stitch, (inner, _) in enumerate(training.inner):
                # What never moved keeps the very bits of the first stage.
                if stitch not in training.gains.closed and inner in training.optimizer.state:
                    training.write(stitch)
            self.curve = list(state.curve)
            self._begin = self.clock() - state.elapsed
            self._throughput, self._measuring = Throughput(state.pace), state.measuring

    def begin(self) -> None:
        """Measure the curve's first point."""
        self._measure()
        self._foresee()
        self.report("begins")
        self._step_began = self.clock()

    def after(self, loss: float) -> None:
        """Report a step and its loss, after measuring and saving where it is time to."""
        self._throughput.note(self.clock() - self._step_began)
        self._measure()
        self._foresee()
        if self.clock() - self._saved >= self.every:
            self.save()
        self.report(f"loss {loss:.3g}")
        self._step_began = self.clock()

    def report(self, what: str) -> None:
        """Call `progress`. The number of steps in all is estimated where time limits them."""
        if self.progress is None:
            return
        step, total = self.training.step, self.steps
        if self.seconds is not None:
            if step and self._of_time > 0:
                # After the last step, which need not end with the time, these are all there were.
                part = 1.0 if self.spent else self._of_time
                total = min(total or maxsize, ceil(step / part))
            what = f"{what}, {min(self.elapsed, self.seconds):.0f} of {self.seconds:g} s"
        self.progress(step, total, f"refine, {what}, held-out {self.curve[-1].loss:.3g}")

    def _foresee(self) -> None:
        """Tell how many steps the time allows, and leave few to the worst stitches.

        It is told once, and once more where later there turn out to be few. What rests follows each
        step; nothing does where steps are given, so that the time does not change the result.
        """
        known = len(self._throughput.tasks)
        if self.seconds is None or known == 0 or (known < MEASURED and self._of_time < EARLY):
            return
        allowed = self.training.step + self._still_allowed(self.seconds)
        if self.steps is not None and allowed >= self.steps:
            return
        gains, each = self.training.gains, SIDES * self.training.settings.subnetworks
        if self.steps is None:
            gains.keep_worst(allowed * each)
        stitches = len(gains.losses) - len(gains.closed)
        few = allowed * each < stitches
        if self._told is not None and few <= self._told:
            return
        self._told = few
        of_all = "" if self.steps is None else f" of {self.steps:,}"
        text = f"refining has time for about {allowed:,}{of_all} steps"
        if few:
            text += f" of {each:,} subnetworks, fewer than one for each of {stitches:,} stitches"
            if self.steps is None:
                text += ": as long as that is so, only those of the highest loss are trained"
            text += "; more seconds would reach more of them"
        self.listener(Message(text, warning=few))

    def _still_allowed(self, seconds: float) -> int:
        """Return about how many steps still end in time, held-out losses measured among them."""
        left = OVERTIME * seconds - self.elapsed
        points = max(0, CURVE_POINTS - len(self.curve))  # the last one comes after the time
        alone = self._throughput.expected(left)
        if alone == 0 or self._measuring == 0:
            return alone
        after_each = left / (left / alone + self._measuring)  # where steps are fewer than points
        return max(int(after_each), self._throughput.expected(left - points * self._measuring))

    def _measure(self) -> None:
        """Add a point to the curve, where the last one is too long ago."""
        step = self.training.step
        if self.curve and self.curve[-1].step == step:
            return
        if self.spent or self.fraction >= len(self.curve) / CURVE_POINTS:
            begin, elapsed = self.clock(), self.elapsed
            self.curve.append(CurvePoint(step, elapsed, self.measure()))
            self._measuring = self.clock() - begin


def _named(training: Training) -> dict[str, Tensor]:
    return {
        f"{stitch}.{name}": tensor
        for stitch, pair in enumerate(training.inner)
        for name, tensor in zip(("inner", "offset"), pair, strict=True)
    }

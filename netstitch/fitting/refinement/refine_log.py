"""How far refining is: its budget, its held-out curve, and its checkpoints."""

from collections.abc import Callable
from math import ceil
from pathlib import Path
from sys import maxsize

from netstitch.fitting.feature_stream import Progress
from netstitch.fitting.refinement.refine_checkpoint import (
    is_there,
    read_checkpoint,
    write_checkpoint,
)
from netstitch.fitting.refinement.refine_report import CurvePoint
from netstitch.fitting.refinement.refine_training import Training

CURVE_POINTS = 10
"""How often the held-out curve is measured."""


class RefineLog:
    """Steps and seconds spent, told and kept.

    measure: gives the held-out loss. file: of the checkpoint, gone on with where it exists.
    mark: what the checkpoint must be of. every: seconds between checkpoints.

    Raises StorageError where the checkpoint cannot be read or written, before any step is done.
    """

    def __init__(
        self,
        training: Training,
        measure: Callable[[], float],
        *,
        steps: int | None,
        seconds: float | None,
        file: Path | None,
        mark: str,
        every: float,
        clock: Callable[[], float],
        progress: Progress | None,
    ) -> None:
        self.training, self.measure = training, measure
        self.steps, self.seconds, self.clock, self.progress = steps, seconds, clock, progress
        self.file, self.mark, self.every = file, mark, every
        self.curve: list[CurvePoint] = []
        self._begin = clock()
        if file is not None and is_there(file):
            self.curve, elapsed = read_checkpoint(file, training, mark=mark)
            self._begin = clock() - elapsed
        self.save()

    @property
    def elapsed(self) -> float:
        """Seconds of training, those before a checkpoint included."""
        return self.clock() - self._begin

    @property
    def fraction(self) -> float:
        """How far training is, which its schedule follows: by steps where these are given.

        So that a limit of time, where it is not reached, does not change the result.
        """
        if self.steps is not None:
            return self.training.step / self.steps
        return self._of_time

    @property
    def spent(self) -> bool:
        """Whether the budget is, of steps or of time."""
        return self.fraction >= 1 or self._of_time >= 1

    @property
    def _of_time(self) -> float:
        return self.elapsed / self.seconds if self.seconds is not None else 0.0

    def save(self) -> None:
        """Write the checkpoint, where one is asked for.

        Not while a step is half done: the file then keeps what was before.
        """
        if self.file is not None and self.training.whole:
            write_checkpoint(
                self.file, self.training, self.curve, mark=self.mark, elapsed=self.elapsed
            )
        self._saved = self.clock()

    def begin(self) -> None:
        """Measure the curve's first point."""
        self._measure()
        self.tell("begins")

    def after(self, loss: float) -> None:
        """Measure and save where it is time to, then tell of a step and its loss."""
        self._measure()
        if self.clock() - self._saved >= self.every:
            self.save()
        self.tell(f"loss {loss:.3g}")

    def tell(self, what: str) -> None:
        """Call `progress`. The number of steps in all is guessed where time limits them."""
        if self.progress is None:
            return
        step, total = self.training.step, self.steps
        if self.seconds is not None:
            if step and self._of_time > 0:
                # The last step may end after the time; the steps are all there were then.
                total = min(total or maxsize, ceil(step / min(1.0, self._of_time)))
            what = f"{what}, {min(self.elapsed, self.seconds):.0f} of {self.seconds:g} s"
        self.progress(step, total, f"refine, {what}, held-out {self.curve[-1].loss:.3g}")

    def _measure(self) -> None:
        """A point of the curve, where the last one is too long ago."""
        step = self.training.step
        if self.curve and self.curve[-1].step == step:
            return
        if self.spent or self.fraction >= len(self.curve) / CURVE_POINTS:
            self.curve.append(CurvePoint(step, self.elapsed, self.measure()))

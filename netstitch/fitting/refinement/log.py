"""How far refining is: its budget, its held-out curve, and its checkpoints."""

from collections.abc import Callable
from pathlib import Path

from netstitch.fitting.refinement.checkpoint import read_checkpoint, write_checkpoint
from netstitch.fitting.refinement.report import CurvePoint
from netstitch.fitting.refinement.training import Training
from netstitch.fitting.stream import Progress

CURVE_POINTS = 10
"""How often the held-out curve is measured."""


class Log:
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
        if file is not None and file.exists():
            self.curve, elapsed = read_checkpoint(file, training, mark=mark)
            self._begin = clock() - elapsed
        self.save()

    @property
    def elapsed(self) -> float:
        """Seconds of training, those before a checkpoint included."""
        return self.clock() - self._begin

    @property
    def fraction(self) -> float:
        """How much of the budget is used; 1 and more when it is spent."""
        by_steps = self.training.step / self.steps if self.steps is not None else 0.0
        by_time = self.elapsed / self.seconds if self.seconds is not None else 0.0
        return max(by_steps, by_time)

    def save(self) -> None:
        """Write the checkpoint, where one is asked for."""
        if self.file is not None:
            write_checkpoint(
                self.file, self.training, self.curve, mark=self.mark, elapsed=self.elapsed
            )
        self._saved = self.clock()

    def begin(self) -> None:
        """Measure the curve's first point."""
        if not self.curve:
            self._measure()

    def after(self, loss: float) -> None:
        """Tell of a step and its loss; measure and save where it is time to."""
        if self.progress is not None:
            total = self.steps if self.seconds is None else None
            held = f"refine, loss {loss:.3g}, held-out {self.curve[-1].loss:.3g}"
            self.progress(self.training.step, total, held)
        if self.fraction >= len(self.curve) / CURVE_POINTS:
            self._measure()
        if self.clock() - self._saved >= self.every:
            self.save()

    def _measure(self) -> None:
        self.curve.append(CurvePoint(self.training.step, self.elapsed, self.measure()))

"""A cascade as data: stages, and what decides which of them answers a sample."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from netstitch.errors import StitchingError
from netstitch.stitching.exit import Exit

Answer = Literal["own", "mean"]
"""A stage's answer: its own output, or the mean of all basis networks' outputs computed so far."""

Confidence = Literal["probability", "margin", "entropy", "agreement"]
"""The measure of how sure an answer is, from 0 to 1, of its probabilities p: the largest one; the
largest minus the second; 1 minus the entropy over its largest value; or sum of p q, where q are
those of the output computed last before."""

Positive = Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class CascadeStage:
    """A subnetwork or an exit in a cascade.

    Attributes:
        subnetwork: A genotype of the supernet, or an exit.
        threshold: The confidence, in (0, 1), from which on a sample gets this stage's answer; None
            for the last stage, which answers all that reach it.
        answer: Its own output, or the mean of outputs so far: those of the basis networks that end
            this stage and the ones before, each distinct tensor once, exits left out.
        temperatures: What each output is divided by before it is averaged and before confidence is
            taken: one for each network that the genotype's output names, in their order; one for
            an exit.
    """

    subnetwork: tuple[Annotated[int, Field(ge=0, lt=2**16)], ...] | Exit
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    answer: Answer = "own"
    temperatures: tuple[Positive, ...] = ()


@dataclass(frozen=True)
class Cascade:
    """Two or more stages: a sample stops at the first one that is sure enough of its answer.

    Later stages reuse every tensor that earlier ones computed.

    Raises:
        StitchingError: There are fewer than two stages, or thresholds are missing, too many, or not
            in (0, 1).
    """

    stages: tuple[CascadeStage, ...]
    confidence: Confidence = "probability"

    def __post_init__(self) -> None:
        if len(self.stages) < 2:
            raise StitchingError(
                f"a cascade has {len(self.stages)} stage; give two or more, or use the subnetwork"
            )
        check_thresholds([stage.threshold for stage in self.stages[:-1]], len(self.stages) - 1)
        if self.stages[-1].threshold is not None:
            raise StitchingError("the last stage has a threshold; it answers all that reach it")

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The thresholds of all stages but the last."""
        return tuple(stage.threshold for stage in self.stages if stage.threshold is not None)

    @property
    def exits(self) -> int:
        """The number of stages that are exits."""
        return sum(isinstance(stage.subnetwork, Exit) for stage in self.stages)


def check_thresholds(thresholds: Sequence[float | None], expected: int) -> None:
    """Raise StitchingError unless there are so many thresholds, each in (0, 1)."""
    if len(thresholds) != expected:
        raise StitchingError(
            f"{len(thresholds)} thresholds were given; expected {expected}, one for each stage "
            "but the last"
        )
    for threshold in thresholds:
        if threshold is None or not 0 < threshold < 1:
            raise StitchingError(f"the threshold {threshold} of a stage is not between 0 and 1")

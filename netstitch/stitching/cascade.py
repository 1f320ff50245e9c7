"""A cascade as data: stages, and what decides which of them answers a sample."""

from dataclasses import dataclass
from math import inf
from numbers import Real
from typing import Annotated, Literal, get_args

from pydantic import Field

from netstitch.errors import StitchingError
from netstitch.stitching.exit import Exit
from netstitch.text import counted, expected_one_of

Answer = Literal["own", "mean"]
"""A stage's answer: its own output, or the mean of all basis networks' outputs computed so far."""

Confidence = Literal["probability", "margin", "entropy", "agreement"]
"""The measure of how sure an answer is, from 0 to 1, of its probabilities p: the largest one; the
largest minus the second; 1 minus the entropy over its largest value; or sum of p q, where q are
those of the output computed last before."""

PositiveNumber = Annotated[float, Field(gt=0, allow_inf_nan=False)]


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

    Raises:
        StitchingError: The threshold is not in (0, 1), a temperature is not over 0, or there is no
            such answer. The supernet checks the subnetwork.
    """

    subnetwork: tuple[Annotated[int, Field(ge=0, lt=2**16)], ...] | Exit
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None
    answer: Answer = "own"
    temperatures: tuple[PositiveNumber, ...] = ()

    def __post_init__(self) -> None:
        if self.threshold is not None and not _between(self.threshold, 1):
            raise StitchingError(
                f"the threshold {self.threshold!r:.80} of a stage is not between 0 and 1"
            )
        _check_word("answer of a stage", self.answer, get_args(Answer))
        if not isinstance(self.temperatures, tuple | list) or not all(
            _between(one, inf) for one in self.temperatures
        ):
            raise StitchingError(
                f"the temperatures of a stage are {self.temperatures!r:.80}; expected a tuple of "
                "numbers over 0, one for each output that it averages, or none"
            )


@dataclass(frozen=True)
class Cascade:
    """Two or more stages: a sample stops at the first one that is sure enough of its answer.

    Later stages reuse every tensor that earlier ones computed.

    Raises:
        StitchingError: There are fewer than two stages, one is something else, a stage but the last
            has no threshold, or the last one has, or there is no such confidence.
    """

    stages: tuple[CascadeStage, ...]
    confidence: Confidence = "probability"

    def __post_init__(self) -> None:
        if not isinstance(self.stages, tuple | list):
            raise StitchingError(
                f"the stages of a cascade are a {type(self.stages).__name__}; expected a tuple of "
                "netstitch.stitching.CascadeStage"
            )
        for number, stage in enumerate(self.stages, start=1):
            if not isinstance(stage, CascadeStage):
                raise StitchingError(
                    f"stage {number} of a cascade is a {type(stage).__name__}; expected "
                    "netstitch.stitching.CascadeStage(subnetwork, threshold)"
                )
        if len(self.stages) < 2:
            raise StitchingError(
                f"a cascade has {counted(len(self.stages), 'stage')}; give two or more, or use the "
                "subnetwork"
            )
        for number, stage in enumerate(self.stages[:-1], start=1):
            if stage.threshold is None:
                raise StitchingError(
                    f"stage {number} of a cascade has no threshold; expected one between 0 and 1 "
                    "of each stage but the last"
                )
        if self.stages[-1].threshold is not None:
            raise StitchingError("the last stage has a threshold; it answers all that reach it")
        _check_word("confidence of a cascade", self.confidence, get_args(Confidence))

    @property
    def thresholds(self) -> tuple[float, ...]:
        """The thresholds of all stages but the last."""
        return tuple(stage.threshold for stage in self.stages if stage.threshold is not None)

    @property
    def exits(self) -> int:
        """The number of stages that are exits."""
        return sum(isinstance(stage.subnetwork, Exit) for stage in self.stages)


def _between(value: object, end: float) -> bool:
    """Return whether a value is a number between 0 and an end."""
    return isinstance(value, Real) and 0 < float(value) < end


def _check_word(what: str, word: object, known: tuple[str, ...]) -> None:
    """Raise StitchingError unless a word is known."""
    if word not in known:
        raise StitchingError(f"the {what} is {word!r:.80}; {expected_one_of(word, known)}")

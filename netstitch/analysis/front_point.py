"""A point of a front: a network, and what was measured of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar, get_args

from netstitch.analysis.bootstrap import Interval
from netstitch.analysis.calibration import Calibration
from netstitch.files.documents import Choice, Count
from netstitch.stitching.exit import Exit

Split = Literal["validation", "confirmation", "test"]
"""Samples that the search chose by; others like them that it did not see; and test samples."""
SPLITS: tuple[Split, ...] = get_args(Split)
ObjectiveName = Literal["accuracy", "cross-entropy"]
"""The objective that is held against the cost."""

AnyMeasured = TypeVar("AnyMeasured", bound="MeasuredPoint")

ENSEMBLE = "ensemble"
"""The output choice of a reference network that makes it the one others are compared with."""
ACCURACY: ObjectiveName = "accuracy"


class MeasuredPoint:
    """A point of a front, whatever it is of: charts, hypervolumes and tables read no more.

    A kind of point is a frozen dataclass that derives from this and has these fields.

    Attributes:
        label: Unique in its front ("P3", or a reference network's name).
        output: What figures group points by ("resnet", "ensemble").
        cost: In the unit of its front.
        validation: Accuracy in [0, 1], as `confirmation` and `test` are.
        validation_difference: Accuracy minus the ensemble's, as of the other parts of the data.
        gap: Validation minus test accuracy, of samples that are not the same.
        confirmation_gap: Validation minus confirmation accuracy.
        further: Other measures by name, such as "validation mean IoU".
        cross_entropy: In nats, the mean over samples, by part of the data.
        calibration: By part of the data.
    """

    label: str
    output: str
    cost: float
    validation: float
    test: float | None
    confirmation: float | None
    validation_difference: Interval | None
    test_difference: Interval | None
    confirmation_difference: Interval | None
    gap: Interval | None
    confirmation_gap: Interval | None
    further: dict[str, float]
    cross_entropy: dict[str, float]
    calibration: dict[str, Calibration]

    @property
    def worst_case(self) -> float:
        """The most that a sample costs: of a network, what each does."""
        return self.cost

    def accuracy(self, on: Split) -> float | None:
        """Return the accuracy on a part of the data."""
        found: float | None = getattr(self, on)
        return found

    def check_accuracies(self) -> None:
        """Raise ValueError for an accuracy outside of [0, 1]."""
        for accuracy in map(self.accuracy, SPLITS):
            if accuracy is not None and not 0 <= accuracy <= 1:
                raise ValueError(f"{self.label}: accuracy {accuracy} is not between 0 and 1")

    def cost_on(self, on: Split) -> float:
        """Return the cost on a part of the data: of cascades it depends on the samples."""
        return self.cost

    def difference(self, on: Split) -> Interval | None:
        """Return the accuracy on a part of the data minus that of the ensemble."""
        found: Interval | None = getattr(self, f"{on}_difference")
        return found

    def gap_to(self, on: Split) -> Interval | None:
        """Return the validation accuracy minus that on another part of the data."""
        return self.gap if on == "test" else self.confirmation_gap

    def score(self, on: Split, objective: ObjectiveName = ACCURACY) -> float | None:
        """Return the accuracy, or minus the cross-entropy: higher is better."""
        if objective == ACCURACY:
            return self.accuracy(on)
        nats = self.cross_entropy.get(on)
        return None if nats is None else -nats

    def columns(self) -> dict[str, object]:
        """Return the values that only this kind of point has, by the names of a table's columns."""
        return {}


class DefaultCost(float):
    """The cost of a point that was given none: its multiply-adds."""


@dataclass(frozen=True)
class FrontPoint(MeasuredPoint):
    """A subnetwork and what was measured of it; other fields are as of `MeasuredPoint`.

    Attributes:
        genotype: The choice of each switch; of an exit that of the whole basis network that it is
            the beginning of. What `Supernet.subnetwork` is to build is `subnetwork`.
        stitches: How many are active.
        output: The output choice ("resnet", "ensemble").
        cost: In the unit of its front; by default the multiply-adds, in a front of these.
        exit: The exit of the supernet that it is, where it is one.

    Raises:
        ValueError: Counts or the cost are negative, or an accuracy is outside [0, 1].
    """

    label: str
    genotype: tuple[Choice, ...]
    multiply_adds: Count
    stitches: Count
    validation: float
    test: float | None = None
    output: str = ""
    parameters: Count | None = None
    validation_difference: Interval | None = None
    test_difference: Interval | None = None
    gap: Interval | None = None
    confirmation: float | None = None
    confirmation_difference: Interval | None = None
    confirmation_gap: Interval | None = None
    further: dict[str, float] = field(default_factory=dict)
    cross_entropy: dict[str, float] = field(default_factory=dict)
    calibration: dict[str, Calibration] = field(default_factory=dict)
    cost: float = math.nan
    exit: Exit | None = None

    def __post_init__(self) -> None:
        if math.isnan(self.cost):
            object.__setattr__(self, "cost", DefaultCost(self.multiply_adds))
        if min(self.multiply_adds, self.stitches, self.parameters or 0, self.cost) < 0:
            raise ValueError(
                f"{self.label}: its cost, multiply-adds, stitches or parameters are negative"
            )
        self.check_accuracies()

    @property
    def subnetwork(self) -> tuple[int, ...] | Exit:
        """The genotype or the exit that `Supernet.subnetwork` takes."""
        return self.genotype if self.exit is None else self.exit

    def columns(self) -> dict[str, object]:
        """Return the facts of a subnetwork, by the names of columns."""
        return {
            # That of an exit is another network's: who reads it would build that one.
            "genotype": " ".join(map(str, self.genotype)) if self.exit is None else "",
            "multiply_adds": self.multiply_adds,
            "stitches": self.stitches,
            "parameters": self.parameters,
            "exit": "" if self.exit is None else " ".join(self.exit.points),
        }


def parts_of(points: Sequence[MeasuredPoint]) -> tuple[Split, ...]:
    """Return the parts of the data that some of the points were measured on; validation always."""
    return tuple(
        part
        for part in SPLITS
        if part == "validation" or any(point.accuracy(part) is not None for point in points)
    )

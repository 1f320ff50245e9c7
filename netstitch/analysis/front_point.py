"""A point of a front: a network, and what was measured of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from netstitch.analysis.bootstrap import Interval
from netstitch.analysis.calibration import Calibration
from netstitch.files.documents import Choice, Count

Split = Literal["validation", "confirmation", "test"]
"""Samples that the search chose by; others like them that it did not see; and test samples."""
SPLITS: tuple[Split, ...] = get_args(Split)
ObjectiveName = Literal["accuracy", "cross-entropy"]
"""What is held against the cost."""

ENSEMBLE = "ensemble"
"""The output choice of a reference network that makes it the one others are compared with."""
ACCURACY: ObjectiveName = "accuracy"


class DefaultCost(float):
    """The cost of a point that was given none: its multiply-adds."""


@dataclass(frozen=True)
class FrontPoint:
    """A network and what was measured of it.

    Attributes:
        label: Unique in its front ("P3", or a reference network's name).
        genotype: The choice of each switch.
        stitches: How many are active.
        validation: Accuracy in [0, 1], as `confirmation` and `test` are.
        output: The output choice ("resnet", "ensemble").
        validation_difference: Accuracy minus the ensemble's, as of the other parts of the data.
        gap: Validation minus test accuracy, of samples that are not the same.
        confirmation_gap: Validation minus confirmation accuracy.
        further: Other measures by name, such as "validation mean IoU".
        cross_entropy: In nats, the mean over samples, by part of the data.
        calibration: By part of the data.
        cost: In the unit of its front; by default the multiply-adds, in a front of these.

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

    def __post_init__(self) -> None:
        if math.isnan(self.cost):
            object.__setattr__(self, "cost", DefaultCost(self.multiply_adds))
        if min(self.multiply_adds, self.stitches, self.parameters or 0, self.cost) < 0:
            raise ValueError(
                f"{self.label}: its cost, multiply-adds, stitches or parameters are negative"
            )
        for accuracy in map(self.accuracy, SPLITS):
            if accuracy is not None and not 0 <= accuracy <= 1:
                raise ValueError(f"{self.label}: accuracy {accuracy} is not between 0 and 1")

    def accuracy(self, on: Split) -> float | None:
        """Return the accuracy on a part of the data."""
        found: float | None = getattr(self, on)
        return found

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


def parts_of(points: Sequence[FrontPoint]) -> tuple[Split, ...]:
    """Return the parts of the data that some of the points were measured on; validation always."""
    return tuple(
        part
        for part in SPLITS
        if part == "validation" or any(point.accuracy(part) is not None for point in points)
    )

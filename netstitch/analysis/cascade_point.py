"""A point of a front that is a cascade, and what was measured of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from netstitch.analysis.bootstrap import Interval
from netstitch.analysis.calibration import Calibration
from netstitch.analysis.front_point import MeasuredPoint, Split
from netstitch.files.documents import Count, Share
from netstitch.stitching.cascade import Cascade
from netstitch.stitching.exit import Exit

CurveRow = tuple[float, Share, float]
"""A threshold, an accuracy and a mean cost."""


@dataclass(frozen=True)
class CascadePoint(MeasuredPoint):
    """A cascade and what was measured of it; other fields are as of `MeasuredPoint`.

    Attributes:
        output: The last stage's output choice, as figures group points.
        cost: The mean cost over validation samples.
        worst_cost: The cost where all stages run.
        mean_costs: The mean cost by part of the data.
        shares: By part of the data, the share of samples that each stage answers; they sum to 1.
        stage_costs: What each stage costs beyond what earlier ones computed.
        outputs: For each stage what it is in words, such as "resnet" or "exit resnet layer2".
        stitches: Active stitches of all stages.
        plain_difference: The accuracy minus that of the plain cascade of the nearest mean cost, by
            part of the data.
        curve: Rows of a threshold of the first stage, and the accuracy and mean cost on validation
            samples with it; thresholds rise from row to row, those of other stages stay.

    Raises:
        ValueError: Costs are negative, an accuracy is outside [0, 1], a field does not have one
            value a stage, or the curve's thresholds do not rise.
    """

    label: str
    cascade: Cascade
    cost: float
    worst_cost: float
    validation: float
    stage_costs: tuple[float, ...]
    outputs: tuple[str, ...]
    mean_costs: dict[Split, float] = field(default_factory=dict)
    shares: dict[Split, tuple[Share, ...]] = field(default_factory=dict)
    stitches: Count = 0
    test: float | None = None
    output: str = ""
    validation_difference: Interval | None = None
    test_difference: Interval | None = None
    plain_difference: dict[Split, Interval] = field(default_factory=dict)
    gap: Interval | None = None
    confirmation: float | None = None
    confirmation_difference: Interval | None = None
    confirmation_gap: Interval | None = None
    further: dict[str, float] = field(default_factory=dict)
    cross_entropy: dict[str, float] = field(default_factory=dict)
    calibration: dict[str, Calibration] = field(default_factory=dict)
    curve: tuple[CurveRow, ...] = ()

    def __post_init__(self) -> None:
        if min(self.cost, self.worst_cost, *self.stage_costs, *self.mean_costs.values()) < 0:
            raise ValueError(f"{self.label}: a cost is negative")
        self.check_accuracies()
        per_stage = (self.stage_costs, self.outputs, *self.shares.values())
        if any(len(values) != len(self.cascade.stages) for values in per_stage):
            raise ValueError(f"{self.label}: expected a value for each of its stages")
        thresholds = [threshold for threshold, *_ in self.curve]
        if thresholds != sorted(set(thresholds)):
            raise ValueError(f"{self.label}: the thresholds of its curve do not rise")

    @property
    def subnetwork(self) -> Cascade:
        """The cascade, which `Supernet.subnetwork` takes, by the name that it has in networks."""
        return self.cascade

    @property
    def worst_case(self) -> float:
        """The most that a sample costs."""
        return self.worst_cost

    @property
    def exits(self) -> bool:
        """Some stage is an exit."""
        return any(isinstance(stage.subnetwork, Exit) for stage in self.cascade.stages)

    def cost_on(self, on: Split) -> float:
        """Return the mean cost over samples of a part of the data."""
        return self.mean_costs.get(on, self.cost)

    def columns(self) -> dict[str, object]:
        """Return the facts of a cascade, by the names of columns; stages are parted by bars."""
        found: dict[str, object] = {
            "stitches": self.stitches,
            "stages": "|".join(self.outputs),
            "stage_costs": _parted(self.stage_costs),
            "thresholds": _parted(self.cascade.thresholds),
            "confidence": self.cascade.confidence,
        }
        for part, shares in self.shares.items():
            found[f"{part}_shares"] = _parted(shares)
        for part, cost in self.mean_costs.items():
            if part != "validation":
                found[f"{part}_mean_cost"] = cost
        for part, difference in self.plain_difference.items():
            found |= difference.columns(f"{part}_minus_plain")
        return found


def _parted(values: Iterable[float]) -> str:
    return "|".join(f"{value:.10g}" for value in values)

"""Points of a front: cascades and exits, with what was measured on each part of the data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from netstitch.analysis import FrontPoint, Split, paired_difference
from netstitch.analysis.cascade_point import CascadePoint, CurveRow
from netstitch.cascades.running import CascadeOrStage, RunOutcome
from netstitch.costs import Cost
from netstitch.evaluation.metrics import Metrics
from netstitch.searching.measured_front import (
    MeasuredFields,
    measured_fields,
    subnetwork_fields,
)
from netstitch.stitching.cascade import Cascade, CascadeStage
from netstitch.stitching.cascade_terms import Selected
from netstitch.stitching.exit import Exit
from netstitch.stitching.wording import module_of
from netstitch.supernet.supernet import Supernet


@dataclass(frozen=True, eq=False)
class CascadeOutcomes:
    """The outcomes of cascades and of subnetworks alone, as points of a front.

    Attributes:
        supernet: The supernet.
        cost: The cost of points.
        ran: The cascades and subnetworks.
        outcomes: The outcome of each, by part of the data.
        ensemble: The ensemble that others are compared with, where the supernet puts it out.
    """

    supernet: Supernet
    cost: Cost
    ran: Sequence[CascadeOrStage]
    outcomes: Mapping[Split, Sequence[RunOutcome]]
    ensemble: CascadeStage | None

    @cached_property
    def _places(self) -> dict[CascadeOrStage, int]:
        return {one: index for index, one in enumerate(self.ran)}

    @cached_property
    def _metrics(self) -> dict[Split, list[Metrics]]:
        return {part: [each.metrics for each in own] for part, own in self.outcomes.items()}

    def fields(self, one: CascadeOrStage) -> MeasuredFields:
        """Return the measures of a cascade or subnetwork, as fields of a point."""
        ensemble = None if self.ensemble is None else self._places[self.ensemble]
        return measured_fields(self._metrics, self._places[one], ensemble)

    def outcome(self, one: CascadeOrStage, part: Split) -> RunOutcome:
        """Return the outcome of a cascade or subnetwork on a part of the data."""
        return self.outcomes[part][self._places[one]]

    def cascade_point(self, cascade: Cascade, curve: tuple[CurveRow, ...]) -> CascadePoint:
        """Return the point of a cascade, without a label; `curve` varies its first threshold."""
        subnetworks = [stage.subnetwork for stage in cascade.stages]
        costs = costs_along(self.supernet, self.cost, subnetworks)
        shares = {part: self.outcome(cascade, part).shares(len(costs)) for part in self.outcomes}
        means = {part: float(np.dot(np.cumsum(costs), share)) for part, share in shares.items()}
        stitches = {
            stitch
            for one in subnetworks
            if not isinstance(one, Exit)
            for stitch in self.supernet.active_stitches(one)
        }
        words = tuple(words_of(self.supernet, one) for one in subnetworks)
        return CascadePoint(
            label="",
            cascade=cascade,
            cost=means["validation"],
            worst_cost=sum(costs),
            stage_costs=costs,
            outputs=words,
            output=words[-1],
            mean_costs=means,
            shares=shares,
            stitches=len(stitches),
            curve=curve,
            **self.fields(cascade),
        )

    def exit_point(self, one: Exit) -> FrontPoint:
        """Return the point of an exit that answers all samples alone, without a label."""
        fields = subnetwork_fields(self.supernet, one, self.cost)
        return FrontPoint(label="", **fields, **self.fields(CascadeStage(one)))

    def beside(self, point: CascadePoint, plain: Sequence[CascadePoint]) -> CascadePoint:
        """Return a point with its difference from the plain cascade of the nearest mean cost."""
        differences = {}
        for part in self.outcomes if plain else ():
            nearest = min(plain, key=lambda one: abs(one.cost_on(part) - point.cost_on(part)))
            pair = (self.outcome(one.cascade, part).metrics.correct for one in (point, nearest))
            differences[part] = paired_difference(*pair, seed=0)
        return replace(point, plain_difference=differences)


def words_of(supernet: Supernet, subnetwork: Selected) -> str:
    """Return a stage in words, such as "resnet", "stitched resnet" or "exit resnet layer2.1"."""
    if isinstance(subnetwork, Exit):
        node = supernet.graphs[subnetwork.network].by_name[subnetwork.point]
        place = module_of(node.path) if node.path else node.name
        return f"exit {supernet.names[subnetwork.network]} {place}"
    output = supernet.outputs[subnetwork[-1]]
    return f"stitched {output}" if supernet.active_stitches(subnetwork) else output


def costs_along(
    supernet: Supernet, cost: Cost, subnetworks: Sequence[Selected]
) -> tuple[float, ...]:
    """Return the cost that each subnetwork adds to those before it."""
    counts = range(1, len(subnetworks) + 1)
    totals = [float(cost.together(supernet, list(subnetworks[:count]))) for count in counts]
    return tuple(np.maximum(np.diff([0.0, *totals]), 0.0).tolist())

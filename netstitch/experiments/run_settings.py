"""Everything that a run is told, but for its networks and task: settings of all rooms, composed."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from netstitch.costs import COSTS, find_cost
from netstitch.errors import ExperimentError, SearchError
from netstitch.experiments.settings_tables import (
    EvaluationTable,
    FitTable,
    LeastSquaresTable,
    ProtocolTable,
    RefineTable,
)
from netstitch.files.settings import Settings
from netstitch.matching.matching_settings import MatchingSettings
from netstitch.optimization.search_settings import EVALUATIONS
from netstitch.searching.supernet_search_settings import SupernetSearchSettings

PAPER = "paper"

_PAPER: Mapping[str, Mapping[str, Any]] = {
    "matching": {"points": "all", "objective": "count"},
    "fit": {"method": "adam"},
    "refine": {"enabled": False},
    "evaluation": {"recalibrate": 0},
}
"""The paper's procedure (sections 3 and 6): all points, as many matches as there can be, stitches
trained by Adam on the features' mean squared error, nothing refined, and batch norms as the
networks have them."""
_IN_PART = ("evaluation",)
"""Tables with keys that are no matter of a procedure, such as the device."""


class RunSettings(Settings):
    """The settings of a run, for any networks and task."""

    refusal = ExperimentError

    name: str = Field(
        default="",
        description="what reports call it; by default the file's name without its ending",
    )
    seed: int = Field(default=1, ge=0, description="of everything random")
    procedure: Literal["netstitch", "paper"] = Field(
        default="netstitch",
        description="where the tables matching, fit, refine and evaluation start from: "
        "'netstitch', or 'paper', exactly what the paper does",
    )
    matching: MatchingSettings = Field(
        default=MatchingSettings(), description="which points are joined"
    )
    fit: FitTable = Field(default=LeastSquaresTable(), description="how the stitches are fitted")
    refine: RefineTable = Field(
        default=RefineTable(), description="how fitted stitches are trained in subnetworks"
    )
    search: SupernetSearchSettings = Field(
        default=SupernetSearchSettings(evaluations=EVALUATIONS), description="how it is searched"
    )
    evaluation: EvaluationTable = Field(
        default=EvaluationTable(), description="what evaluates subnetworks"
    )
    protocol: ProtocolTable = Field(
        default=ProtocolTable(), description="what `netstitch protocol` runs"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_procedure(cls, settings: Any) -> Any:
        return with_procedure(settings) if isinstance(settings, dict) else settings

    @property
    def fit_settings(self) -> dict[str, Any]:
        """Keyword arguments for `Supernet.fit`, the method among them."""
        settings = self.fit.model_dump(exclude={"batch"})
        return settings | ({"seed": self.seed} if "seed" in type(self.fit).model_fields else {})

    @property
    def refine_settings(self) -> dict[str, Any] | None:
        """Keyword arguments for `Supernet.refine`; None where stitches stay as they are fitted."""
        if not self.refine.enabled:
            return None
        return self.refine.model_dump(exclude={"enabled"}) | {"seed": self.seed}

    @property
    def config(self) -> dict[str, Any]:
        """All settings as plain data, as a run keeps them."""
        return self.model_dump(mode="json", exclude_none=True)

    def check(self) -> None:
        """Raise SearchError where this machine cannot do what is asked."""
        self.search.check_installed()
        self.evaluation.check()
        cost = find_cost(self.search.cost)
        if COSTS.get(cost.name) is not cost:
            raise SearchError(
                f"cost {cost.name!r} is one of your own, and a run is read again by names: give "
                f"one of {', '.join(COSTS)}, or search with ns.search(cost=...)"
            )


def with_procedure(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return tables over those of the procedure that they name; their own keys come first.

    A [refine] table that says how to refine asks for it, unless it says enabled = false.
    """
    tables = _PAPER if settings.get("procedure") == PAPER else {}
    filled = dict(settings)
    for name, table in tables.items():
        given = settings.get(name, {})
        if isinstance(given, Mapping) and not (name == "refine" and given):
            filled[name] = {**table, **given}
    return filled


def replaced(settings: Mapping[str, Any], procedure: str) -> dict[str, Any]:
    """Return settings with the tables of a procedure in the place of their own."""
    changed = {**settings, "procedure": procedure}
    for name, table in _PAPER.items():
        given = changed.pop(name, {})
        if name in _IN_PART:
            changed[name] = {**given, **table} if procedure == PAPER else given
    return changed

"""Everything that a run is told, but for its networks and task: settings of all rooms, composed."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from netstitch.cascades import CascadeSettings
from netstitch.costs import COSTS, find_cost
from netstitch.errors import ExperimentError, SearchError
from netstitch.evaluation import ExecutionConfig
from netstitch.files.settings import Positive, Settings, as_value_error
from netstitch.fitting.fit_settings import AdamSettings, ExitSettings, LeastSquaresSettings
from netstitch.fitting.methods import METHODS, check_method
from netstitch.fitting.refinement.refine_settings import RefineSettings
from netstitch.fitting.refinement.views import AS_THEY_ARE, Views
from netstitch.matching.matching_settings import MatchingSettings
from netstitch.optimization import ALGORITHMS
from netstitch.optimization.search_settings import EVALUATIONS
from netstitch.searching.supernet_search_settings import SupernetSearchSettings
from netstitch.supernet.supernet_settings import SupernetSettings
from netstitch.text import expected_one_of

# Literals by type too, since they are the values of fields of one possible value.
LEAST_SQUARES: Literal["least-squares"] = "least-squares"
ADAM: Literal["adam"] = "adam"
PAPERS_ALGORITHMS = ("ga", "gomea", "lk-gomea")

_METHODS = f"{' or '.join(map(repr, METHODS))}, each with settings of its own."
_BATCH = "Images a batch in which samples are read."

PAPER = "paper"

_PAPER: Mapping[str, Mapping[str, object]] = {
    "matching": {"points": "all", "objective": "count"},
    "fit": {"method": ADAM, "schedule": "constant", "holdout": 0.0},
    "refine": {"enabled": False},
    "search": {
        "algorithm": "ga",
        "references": "apart",
        "first_networks": 0.0,
        "racing": (),
        "frame": "frozen",
        "convergence": "genotypes",
    },
    "evaluation": {"recalibrate": 0, "in_flight": 0, "order": "finished"},
    "cascades": {"enabled": False},
}
"""The paper's procedure (sections 3, 5, 6): all points, as many matches as there can be, stitches
trained by Adam at a constant rate on the features' mean squared error of all samples, nothing
refined, and batch norms as the networks have them; references that the search has to find, no
first networks, no racing, objectives in a frozen frame, neighbourhoods compared by whole genotypes,
and a loop for each individual, as many of them evaluating as there are places, each of which goes
on when its own result is there; neither exits nor cascades."""
_IN_PART = ("search", "evaluation")
"""Tables with keys that are no matter of a procedure, such as the budget and the device."""


class _OfRun(Settings):
    """A table without a seed of its own: that of the run counts."""

    refused: ClassVar = {"seed": "the seed is that of the whole run; give it at the top level"}


class LeastSquaresTable(LeastSquaresSettings, _OfRun):
    """Stitches fitted in closed form."""

    method: Literal["least-squares"] = Field(default=LEAST_SQUARES, description=_METHODS)
    batch: Positive = Field(default=64, description=_BATCH)


class AdamTable(AdamSettings, _OfRun):
    """Stitches trained as the paper does (section 6)."""

    seed: int = Field(default=1, exclude=True)
    """That of the run, which is no key."""
    method: Literal["adam"] = Field(default=ADAM, description=_METHODS)
    batch: Positive = Field(default=64, description=_BATCH)


def _with_method(table: object) -> object:
    """Return a table with the method that it names, or that counts where it names none."""
    if isinstance(table, Settings):
        return table
    if not isinstance(table, dict):
        raise ValueError("expected a table")
    filled = {"method": LEAST_SQUARES} | table
    as_value_error(check_method, filled["method"])
    return filled


def _method(table: Any) -> object:
    return table["method"] if isinstance(table, dict) else table.method


FitTable = Annotated[
    Annotated[LeastSquaresTable, Tag(LEAST_SQUARES)] | Annotated[AdamTable, Tag(ADAM)],
    Discriminator(_method),
    BeforeValidator(_with_method),
]
"""The table of the method that it names."""


class RefineTable(RefineSettings, _OfRun):
    """Stitches trained in sampled subnetworks, after they were fitted."""

    refused: ClassVar = _OfRun.refused | {
        "views": "views are the task's; give them in the table [task.views]"
    }

    seed: int = Field(default=1, exclude=True)
    """That of the run, which is no key."""
    views: Views = Field(default=AS_THEY_ARE, exclude=True)
    """Those of the task, which are no key."""
    enabled: bool = True
    """Refine the stitches."""


class ExitsTable(ExitSettings, _OfRun):
    """Exits, fitted on training samples where a run ends with cascades."""


class EvaluationTable(ExecutionConfig):
    """The executor of evaluations, and its share of the machine."""

    cache: float | None = Field(default=None, ge=0)
    """0, or left out: activations are not kept between evaluations, since those under way are
    computed together."""
    recalibrate: int = Field(default=0, ge=0)
    """Training samples that batch norms behind the stitches of each subnetwork take their
    statistics from; 0 to keep those of the networks."""

    @field_validator("cache")
    @classmethod
    def _kept_no_more(cls, cache: float | None) -> float | None:
        if cache:
            raise ValueError(
                "activations are no longer kept between evaluations; those under way, in_flight, "
                "are computed together instead: leave cache out, or give 0"
            )
        return cache


class ProtocolTable(Settings):
    """The runs of a protocol (section 7 of the paper); a sweep tries sizes from 128 to 2,048."""

    populations: dict[str, Positive] = Field(default={})
    """The population size of each algorithm, by name, for protocols without a sweep; by default
    those that a sweep finds."""
    algorithms: list[str] = Field(default=[])
    """Algorithms that the protocol runs; by default those of 'populations', or the paper's."""
    seeds: Positive = 5
    """Runs of each algorithm."""
    accuracy: float | None = Field(default=None, ge=0, lt=1)
    """That fronts are drawn and hypervolumes counted from, those of a sweep of population sizes
    too; by default that of the worst network that went in, rounded down to a tenth."""

    @field_validator("algorithms", "populations")
    @classmethod
    def _known(cls, names: list[str] | dict[str, int]) -> list[str] | dict[str, int]:
        for name in names:
            if name not in ALGORITHMS:
                raise ValueError(f"{name!r}: {expected_one_of(name, ALGORITHMS)}")
        return names

    @property
    def chosen(self) -> tuple[str, ...]:
        """The algorithms that are run."""
        return tuple(self.algorithms or self.populations or PAPERS_ALGORITHMS)


class RunSettings(Settings):
    """The settings of a run, for any networks and task."""

    refusal = ExperimentError

    name: str = ""
    """The name that reports call it by; by default the file's name without its ending."""
    seed: int = Field(default=1, ge=0)
    """The seed of everything random."""
    procedure: Literal["netstitch", "paper"] = "netstitch"
    """The start of the tables matching, fit, refine, search, evaluation and cascades: 'netstitch',
    or 'paper', what the paper does, but for what docs/differences.md lists."""
    matching: MatchingSettings = MatchingSettings()
    """The points that are joined."""
    supernet: SupernetSettings = SupernetSettings()
    """The outputs and stitches of the supernet."""
    fit: FitTable = LeastSquaresTable()
    """The method that fits the stitches."""
    refine: RefineTable = RefineTable()
    """The training of fitted stitches in subnetworks."""
    exits: ExitsTable = ExitsTable()
    """The exits that cascades begin with."""
    search: SupernetSearchSettings = SupernetSearchSettings(evaluations=EVALUATIONS)
    """The search."""
    evaluation: EvaluationTable = EvaluationTable()
    """The evaluation of subnetworks."""
    cascades: CascadeSettings = CascadeSettings()
    """The cascades that are found behind the search, of the networks and their exits."""
    protocol: ProtocolTable = ProtocolTable()
    """The runs of `netstitch protocol`."""

    @model_validator(mode="before")
    @classmethod
    def _from_procedure(cls, settings: object) -> object:
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
    def config(self) -> dict[str, object]:
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


def with_procedure(settings: Mapping[str, object]) -> dict[str, object]:
    """Return tables over those of the procedure that they name; their own keys come first.

    A [refine] table that says how to refine asks for it, unless it says enabled = false, so does
    one of [cascades], and a [fit] table of another method has nothing of Adam's.
    """
    tables = _PAPER if settings.get("procedure") == PAPER else {}
    filled = dict(settings)
    for name, table in tables.items():
        given = settings.get(name, {})
        if isinstance(given, Mapping) and not _asks_otherwise(name, given):
            filled[name] = {**table, **given}
    return filled


def _asks_otherwise(name: str, given: Mapping[str, object]) -> bool:
    """Return whether a table asks for something else than the paper's procedure as a whole."""
    if name in ("refine", "cascades"):
        return bool(given)
    return name == "fit" and given.get("method", ADAM) != ADAM


def _of_the_paper(search: Mapping[str, Any]) -> dict[str, object]:
    """Return the paper's algorithm that a table names, or else the first, without its settings."""
    if search.get("algorithm") in PAPERS_ALGORITHMS:
        return {"algorithm": search["algorithm"]}
    return {"settings": {}}


def replaced(settings: Mapping[str, Any], procedure: str) -> dict[str, object]:
    """Return settings with the tables of a procedure in the place of their own.

    Settings of the paper's procedure have it already, with the paper's numbers for their networks.
    """
    before = settings.get("procedure")
    if before == procedure == PAPER:
        return dict(settings)
    changed = {**settings, "procedure": procedure}
    for name, table in _PAPER.items():
        given = changed.pop(name, {})
        if name not in _IN_PART:
            continue
        if procedure == PAPER:
            changed[name] = {**given, **table}
            if name == "search":
                changed[name] |= _of_the_paper(given)
        else:
            own = table if before == PAPER else {}
            changed[name] = {k: v for k, v in given.items() if k not in own or v != own[k]}
    return changed

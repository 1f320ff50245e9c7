"""Settings of a supernet's search, as keywords and in a file, and checks of all it is given."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Literal, TypedDict, get_args

from pydantic import (
    Field,
    InstanceOf,
    SerializerFunctionWrapHandler,
    field_serializer,
    field_validator,
    model_serializer,
)

from netstitch.analysis import ObjectiveName
from netstitch.analysis.front_point import ACCURACY
from netstitch.costs import COSTS, MULTIPLY_ADDS, Cost, find_cost
from netstitch.errors import DataError, FittingError, SearchError
from netstitch.evaluation import ExecutionConfig, NumericsConfig
from netstitch.files.settings import Positive
from netstitch.networks.graph import Dimension
from netstitch.networks.inputs import Batch, check_inputs, fitting_batches
from netstitch.networks.probabilities import WAY_OUT
from netstitch.optimization import Objective
from netstitch.optimization.algorithms.algorithm import Algorithm
from netstitch.optimization.algorithms.registry import Build, name_of
from netstitch.optimization.linkage.gene_pool import Convergence
from netstitch.optimization.operators.initialisation import EXPECTED_NONZEROS
from netstitch.optimization.operators.scalarisation import Frame
from netstitch.optimization.search_settings import SearchSettings
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import CrossEntropyTask, Samples, Task, as_task
from netstitch.tasks.datasets.given import described
from netstitch.text import expected_one_of


class SupernetSearchSettings(SearchSettings):
    """The settings of a supernet's search (section 5 of the paper).

    Two fields of `SearchSettings` are declared anew: `algorithm`, whose default is another, and
    `threshold`, which is of a share and so less than 1.
    """

    algorithm: str | Callable[..., Algorithm] = Field(
        default="surrogate", description=SearchSettings.model_fields["algorithm"].description
    )
    objective: ObjectiveName = "accuracy"
    """The measure that is held against the cost, 'accuracy' or 'cross-entropy'; then a threshold is
    of exp(-cross-entropy), the geometric mean of the probabilities of what is right."""
    cost: str | InstanceOf[Cost] = Field(
        default=MULTIPLY_ADDS.name,
        description=f"The cost that is minimised, one of {', '.join(map(repr, COSTS))}.",
    )
    threshold: float | None = Field(default=None, gt=0, lt=1)
    """Accuracy in (0, 1) over which the search is steered, in full from half of the budget on; by
    default none."""
    references: Literal["first", "apart"] = "first"
    """The place of the basis networks and their ensemble: the 'first' members of the first
    population, or evaluated 'apart', before the search and outside of its budget, as in the paper;
    the search then has them only where it finds them."""
    initial_stitches: float = Field(default=EXPECTED_NONZEROS, gt=0)
    """The number of switches of a first genotype that are expected to read a stitch, by default as
    in the paper; each has at least one in the first population."""
    first_networks: float = Field(default=0.5, ge=0, le=1)
    """Share of the budget up to which networks with one stitch that save any cost are evaluated,
    behind the references and before the first population, which then begins with the best of both
    in at most half of its places; 0 for none. Of budgets of evaluations and of seconds, the one of
    which more is spent counts. There are none where the algorithm is 'random' or references are
    evaluated 'apart'."""

    racing: tuple[Positive, ...] = (768, 2_048)
    """Sizes of parts of the validation samples, ascending, [] for none: a network is evaluated on
    the first part, and behind each goes on only while it may still belong to the front, by a 95 %
    interval of its accuracy. It is evaluated whole where evaluations do not end early."""

    @property
    def objectives(self) -> tuple[Objective, Objective]:
        """The score that is made large, and the cost that is made small."""
        return Objective(self.objective, maximise=True), Objective(find_cost(self.cost).name)

    @field_validator("cost")
    @classmethod
    def _known_cost(cls, cost: str | Cost) -> str | Cost:
        if isinstance(cost, str) and cost not in COSTS:
            raise ValueError(expected_one_of(cost, COSTS))
        return cost

    @field_validator("racing", mode="before")
    @classmethod
    def _as_tuple(cls, racing: object) -> object:
        return tuple(racing) if isinstance(racing, list) else racing

    @field_validator("racing")
    @classmethod
    def _ascending(cls, racing: tuple[int, ...]) -> tuple[int, ...]:
        if any(after <= before for before, after in pairwise(racing)):
            raise ValueError("expected sizes of parts in ascending order, such as [768, 2048]")
        return racing

    @field_serializer("cost")
    def _name_of_cost(self, cost: str | Cost) -> str:
        return find_cost(cost).name

    @model_serializer(mode="wrap")
    def _by_name(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        # An algorithm of a user's own is a function.
        written: dict[str, object] = write(self)
        return written | {"algorithm": name_of(self.algorithm)}


class SearchKeywords(TypedDict, total=False):
    """Keywords of `ns.search` that are fields of `SupernetSearchSettings`."""

    objective: ObjectiveName
    cost: str | Cost
    algorithm: str | Build
    seconds: float | None
    population: int | Literal["sweep"]
    threshold: float | None
    references: Literal["first", "apart"]
    initial_stitches: float
    first_networks: float
    racing: tuple[int, ...]
    settings: dict[str, object]
    frame: Frame
    convergence: Convergence
    patience: int | None


def check_kinds(*, form: object, spread: object) -> None:
    """Raise SearchError unless form is a NumericsConfig, and spread an ExecutionConfig, or None."""
    for name, value, kind in (("form", form, NumericsConfig), ("spread", spread, ExecutionConfig)):
        if value is not None and not isinstance(value, kind):
            raise SearchError(
                f"{name} is {value!r:.80}: give a netstitch.evaluation.{kind.__name__}, or None"
            )


def check_search(
    supernet: object, task: object, settings: SupernetSearchSettings, spread: ExecutionConfig
) -> Task:
    """Return the task, where the search can be done.

    Raises:
        DataError: The samples have another size than the networks were captured for, or are none.
        SearchError: These are no supernet or no task, or do not go together, or this machine cannot
            do what is asked.
        StitchingError: Stitches were never fitted.
    """
    if not isinstance(supernet, Supernet):
        raise SearchError(
            f"the supernet is {described(supernet)}; give ns.Supernet([a, b], ns.match(a, b))"
            " first, then a task"
        )
    checked = as_task(task)
    for samples in (checked.training, checked.validation, checked.test):
        if isinstance(samples, Samples):
            shape: tuple[Dimension, ...] = ("batch", *samples.shape)
            check_inputs(supernet.graphs, shape, f"{samples.name}: a batch", DataError)
    if supernet.averaging.rule != checked.ensemble:
        raise SearchError(
            f"the supernet's ensemble averages {supernet.averaging.rule}, the task's "
            f"{checked.ensemble}; build the supernet with averaging=Averaging({checked.ensemble!r})"
        )
    supernet.check_fitted()
    scored_by(settings.objective, supernet, checked)
    settings.check_installed()
    spread.check()
    return checked


def scored_by(objective: ObjectiveName, supernet: Supernet, task: Task) -> Task:
    """Return the task as a search scores it: by accuracy or by cross-entropy.

    Raises SearchError for another objective, and for cross-entropy where the networks put out
    probabilities.
    """
    known = get_args(ObjectiveName)
    if objective not in known:
        raise SearchError(
            f"objective {objective!r} is not known: {expected_one_of(objective, known)}"
        )
    if objective == ACCURACY:
        return task
    if supernet.puts_out_probabilities(task.output):
        raise SearchError(
            f"the objective {objective!r} is of logits, and the networks end in probabilities: for "
            f"each, {WAY_OUT}"
        )
    return CrossEntropyTask(task)


def read_recalibration(supernet: Supernet, batches: Iterable[Batch] | None) -> list[Batch] | None:
    """Return the batches, which each network evaluated reads again; None where none were given.

    Raises FittingError where they are no inputs of the networks, or none at all.
    """
    if batches is None:
        return None
    read = list(fitting_batches(supernet.graphs, batches, FittingError))
    if not any(len(batch[0]) for batch in read):
        raise FittingError("recalibration holds no samples: give at least one batch of inputs")
    return read

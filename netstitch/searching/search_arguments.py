"""Checks of what a search is given, before anything is measured."""

from collections.abc import Iterable
from typing import Any

from netstitch.analysis import ObjectiveName
from netstitch.analysis.front_point import ACCURACY
from netstitch.errors import DataError, FittingError, SearchError
from netstitch.evaluation import ExecutionConfig, NumericsConfig
from netstitch.networks.graph import Dimension
from netstitch.networks.inputs import Batch, check_inputs, fitting_batches
from netstitch.networks.probabilities import WAY_OUT
from netstitch.searching.supernet_search_settings import SupernetSearchSettings
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import CrossEntropyTask, Samples, Task
from netstitch.tasks.datasets.given import described
from netstitch.tasks.task import as_task


def check_kinds(*, form: Any, spread: Any) -> None:
    """Raise SearchError for a form or a spread that is none."""
    for name, value, kind in (("form", form, NumericsConfig), ("spread", spread, ExecutionConfig)):
        if value is not None and not isinstance(value, kind):
            raise SearchError(
                f"{name} is {value!r:.80}: give a netstitch.evaluation.{kind.__name__}, or None"
            )


def check_search(
    supernet: Any, task: object, settings: SupernetSearchSettings, spread: ExecutionConfig
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

    Raises SearchError for cross-entropy where the networks put out probabilities.
    """
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

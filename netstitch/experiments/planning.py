"""From an experiment file to what a run carries out."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from netstitch.errors import ExperimentError
from netstitch.experiments.experiment import Experiment
from netstitch.run import Plan


def to_plan(experiment: Experiment) -> Plan:
    """The plan of an experiment."""
    search = experiment.search
    return Plan(
        name=experiment.name,
        fit=experiment.fit_settings,
        fit_batch=experiment.fit.batch,
        algorithm=search.algorithm,
        budget=search.budget,
        population=search.population,
        seed=experiment.seed,
        threshold=search.threshold,
        asked=experiment.model_dump(mode="json", exclude_none=True),
    )


def override(
    experiment: Experiment, *, seed: int | None, search: Mapping[str, Any]
) -> Experiment:
    """The experiment with what the command line gives instead; None keeps the file's.

    Raises ExperimentError when the result is not valid.
    """
    data = experiment.model_dump()
    given = {key: value for key, value in search.items() if value is not None}
    data["search"] |= given
    if seed is not None:
        data["seed"] = seed
    try:
        return Experiment.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ExperimentError(f"{place}: {first['msg']}; correct the option") from None

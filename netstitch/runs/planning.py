"""From an experiment file to what a run carries out."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from netstitch.errors import ExperimentError
from netstitch.experiments.experiment import Experiment
from netstitch.experiments.procedure import replaced
from netstitch.runs.run_plan import RunPlan

OPTIONS = {"population": "population-size"}
"""Options of the command line that are not named as the key of the file."""


def to_plan(experiment: Experiment) -> RunPlan:
    """The plan of an experiment."""
    search = experiment.search
    return RunPlan(
        name=experiment.name,
        points=experiment.matching.points,
        matching_objective=experiment.matching.objective,
        fit=experiment.fit_settings,
        fit_batch=experiment.fit.batch,
        refine=experiment.refine_settings,
        objective=search.objective,
        algorithm=search.algorithm,
        budget=search.budget,
        population=search.population,
        settings=search.settings,
        patience=search.patience,
        seed=experiment.seed,
        threshold=search.threshold,
        initial_stitches=search.initial_stitches,
        spread=experiment.evaluation.spread,
        recalibrate=experiment.evaluation.recalibrate,
        floor=experiment.protocol.accuracy,
        asked=experiment.model_dump(mode="json", exclude_none=True),
    )


def override(
    experiment: Experiment,
    *,
    seed: int | None = None,
    search: Mapping[str, Any] | None = None,
    evaluation: Mapping[str, Any] | None = None,
    procedure: str | None = None,
    data: str | None = None,
    weights: str | None = None,
) -> Experiment:
    """The experiment with what the command line gives instead; None keeps the file's.

    procedure: takes the place of all that a procedure has of the file's tables. data, weights:
        folders.

    Raises ExperimentError when the result is not valid.
    """
    filled = experiment.model_dump()
    if procedure is not None:
        filled = replaced(filled, procedure)
    given = {key: value for key, value in (search or {}).items() if value is not None}
    filled["search"] |= given
    spread = {key: value for key, value in (evaluation or {}).items() if value is not None}
    filled["evaluation"] |= spread
    given |= spread
    top = {"seed": seed, "data": data, "weights": weights}
    filled |= {key: value for key, value in top.items() if value is not None}
    try:
        return Experiment.model_validate(filled)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        message = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
        key = str(first["loc"][-1])
        # A whole table is at fault where two of its keys do not go together.
        option = (
            f"--{OPTIONS.get(key, key)} {first['input']}: "
            if key in {**given, "seed": seed}
            else ""
        )
        raise ExperimentError(f"{option}{message}; correct the option") from None

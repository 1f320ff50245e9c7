"""An experiment with what the command line gives in the place of what its file says."""

from collections.abc import Mapping
from typing import Any

from netstitch.errors import ExperimentError
from netstitch.experiments.experiment import Experiment
from netstitch.experiments.run_settings import replaced


def override(
    experiment: Experiment,
    *,
    search: Mapping[str, Any] | None = None,
    evaluation: Mapping[str, Any] | None = None,
    procedure: str | None = None,
    **top: Any,
) -> Experiment:
    """Return the experiment with other values; None keeps the file's.

    Args:
        experiment: What the file says.
        search: Keys of the table [search].
        evaluation: Keys of the table [evaluation].
        procedure: Takes the place of all that a procedure has of the file's tables.
        **top: Keys of the top level, such as the seed.

    Raises:
        ExperimentError: The result is not valid.
    """
    filled = experiment.model_dump()
    if procedure is not None:
        filled = replaced(filled, procedure)
    for table, keys in (
        (filled, top),
        (filled["search"], search or {}),
        (filled["evaluation"], evaluation or {}),
    ):
        table.update({key: value for key, value in keys.items() if value is not None})
    try:
        return Experiment(**filled)
    except ExperimentError as error:
        raise ExperimentError(f"{error}; correct the option") from None

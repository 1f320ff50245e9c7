"""An experiment with what the command line gives in the place of what its file says."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from netstitch.errors import ExperimentError
from netstitch.experiments.experiment import Experiment
from netstitch.experiments.run_settings import replaced
from netstitch.files.settings import expected_text

OPTIONS = {"population": "population-size"}
"""Options of the command line that are not named as the key of the file."""


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
    given: dict[str, Any] = {}
    for name, keys in (("search", search), ("evaluation", evaluation), (None, top)):
        changes = {key: value for key, value in (keys or {}).items() if value is not None}
        (filled if name is None else filled[name]).update(changes)
        given |= changes
    try:
        return Experiment.model_validate(filled)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = str(first["loc"][-1])
        # A whole table is at fault where two of its keys do not go together.
        option = f"--{OPTIONS.get(key, key)} {first['input']}: " if key in given else ""
        raise ExperimentError(f"{option}{expected_text(first)}; correct the option") from None

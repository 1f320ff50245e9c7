"""From an experiment file to an Experiment, or to one line that says what is wrong with it."""

import os
import re
import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from netstitch.errors import ExperimentError
from netstitch.experiments.experiment import Experiment
from netstitch.experiments.fit_table import ADAM, LEAST_SQUARES, AdamTable
from netstitch.experiments.toml_text import check_values, read_toml_text, too_deep
from netstitch.files.folders import check_name
from netstitch.fitting.fit_settings import REMOVED
from netstitch.text import did_you_mean, one_line

Location = tuple[int | str, ...]
LONGEST = 60
"""Characters of a value that a message shows."""


def read_experiment(path: Path | str) -> Experiment:
    """Read and check an experiment file (TOML); all defaults are filled in.

    Paths in it stay as they are written; `Experiment.located` says where they lead. Files that it
    names are not looked at.

    Raises ExperimentError when the file is missing or no TOML, when a key is unknown (with the
    nearest known one) or missing, or when a value is of another kind than expected. Of several
    problems the message tells one, and their number.
    """
    path = Path(path)
    check_name(path)
    table = _read_toml(path)
    try:
        check_values(path, table)
        experiment = Experiment.model_validate(table)
    except ValidationError as error:
        raise ExperimentError(f"{path}: {first_problem(error)}") from None
    except RecursionError:
        raise too_deep(path) from None
    # Of one that came with the package, paths start where the user is.
    start = Path.cwd() if is_shipped(path) else path.parent
    folder = (start / os.path.expanduser(experiment.folder)).resolve()
    return experiment.model_copy(
        update={"folder": str(folder), "name": experiment.name or path.stem}
    )


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_toml_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError(
            f"{path} is no valid TOML: {one_line(error)}; correct that line"
        ) from error
    except RecursionError:
        raise too_deep(path) from None
    except ValueError as error:  # of a number or a date
        raise ExperimentError(
            f"{path} holds a value that cannot be read ({one_line(error)}); correct it"
        ) from error


def first_problem(error: ValidationError) -> str:
    """Return the most telling problem of several; a misspelt key leaves the right one missing too.

    Args:
        error: Of validating an Experiment.
    """
    problems = error.errors(include_url=False)
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    others = len(problems) - 1
    count = f" ({others} more problem{'s' if others > 1 else ''})" if others else ""
    return _describe(first) + count


def _describe(problem: ErrorDetails) -> str:
    location = tuple(part for part in problem["loc"] if part not in (LEAST_SQUARES, ADAM))
    if not location:
        return _text(problem)
    where, key = _table_name(location[:-1]), str(location[-1])
    if problem["type"] == "extra_forbidden":
        known = list(_table(problem["loc"][:-1]).model_fields)
        near = did_you_mean(key[:LONGEST], known)
        return f"unknown key {_shown(key)} in {where}; {near}known: {', '.join(known)}"
    if problem["type"] == "missing":
        meaning = _table(problem["loc"][:-1]).model_fields[key].description
        return f"{where} lacks the key {key!r}; expected {meaning}"
    if problem["type"] == "union_tag_invalid":
        # Told of the table, but the fault is in its method.
        where, key, found = f"[{key}]", "method", problem["input"].get("method")
        known = [LEAST_SQUARES, ADAM]
        hint = did_you_mean(str(found), known)
        expected = f"{hint}expected one of {', '.join(map(repr, known))}"
        expected = REMOVED.get((key, str(found)), expected)
        return f"{key!r} in {where} is {_shown(found)}; {expected}"
    if isinstance(problem["input"], dict) and problem["type"] == "value_error":
        return f"{_table_name(location)}: {_text(problem)}"
    name = f"{_shown(key)} in {where}"
    if isinstance(location[-1], int):
        name = f"value {location[-1] + 1} of {str(location[-2])!r} in {_table_name(location[:-2])}"
    return f"{name} is {_shown(problem['input'])}; {_text(problem)}"


def _text(problem: ErrorDetails) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    message = message.replace("Input should be", "expected")
    if problem["type"] == "too_short":
        message = f"expected at least {problem['ctx']['min_length']}, give more"
    if problem["type"] in ("model_type", "list_type"):
        message = "expected a table" if problem["type"] == "model_type" else "expected a list"
    if problem["type"] == "literal_error" and isinstance(problem["input"], str):
        known = re.findall(r"'([^']+)'", problem["ctx"]["expected"])
        message = did_you_mean(problem["input"], known) + message
    return " ".join(message.split())


def _table_name(location: Location) -> str:
    """The head of a table as it stands in the file."""
    if not location:
        return "the top level"
    if isinstance(location[-1], int):
        return f"[[{'.'.join(map(str, location[:-1]))}]] number {location[-1] + 1}"
    return f"[{'.'.join(map(str, location))}]"


def _table(location: Location) -> type[BaseModel]:
    """The model of the table at a location."""
    model: type[BaseModel] = Experiment
    for part in location:
        if part == ADAM:
            model = AdamTable
        elif isinstance(part, str) and part in model.model_fields:
            model = _inner(model.model_fields[part].annotation) or model
    return model


def _inner(annotation: Any) -> type[BaseModel] | None:
    """The first table inside an annotation such as `list[NetworkTable]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _inner(part))), None)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list) and any(isinstance(row, dict) for row in value):
        return f"a list of {len(value)} table{'s' if len(value) != 1 else ''}"
    text = repr(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


SHIPPED = Path(__file__).parent / "shipped"


def shipped() -> dict[str, Path]:
    """The files of all shipped experiments, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def is_shipped(path: Path) -> bool:
    """Whether a file came with the package."""
    return path.parent == SHIPPED


def find_experiment(name: Path | str) -> Path:
    """The file of an experiment: a path, or the name of one that comes with the package.

    Raises ExperimentError, with the nearest name, where it is neither.
    """
    path, known = Path(name), shipped()
    # A folder of that name may be the data set's.
    if path.is_file() or path.suffix or len(path.parts) != 1:
        return path
    if str(name) not in known:
        raise ExperimentError(
            f"{str(name)!r} is neither a file nor a shipped experiment; "
            f"{did_you_mean(str(name), known)}expected a .toml file, or one of {', '.join(known)}"
        )
    return known[str(name)]

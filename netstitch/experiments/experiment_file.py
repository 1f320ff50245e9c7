"""From an experiment file to an Experiment, or to one line that says what is wrong with it."""

import os
import tomllib
from pathlib import Path
from typing import Any

from netstitch.errors import ExperimentError
from netstitch.experiments.experiment import Experiment
from netstitch.experiments.toml_text import check_values, read_toml_text, too_deep
from netstitch.files.folders import check_name
from netstitch.text import did_you_mean, one_line

SHIPPED = Path(__file__).parent / "shipped"


def read_experiment(path: Path | str) -> Experiment:
    """Read and check an experiment file (TOML); all defaults are filled in.

    Paths in it stay as they are written; `Experiment.located` says where they lead. Files that it
    names are not looked at.

    Raises:
        ExperimentError: The file is missing or no TOML, a key is unknown (then the nearest known
            one is named) or missing, or a value is of another kind than expected. Of several
            problems the message tells one, and their number.
    """
    path = Path(path)
    check_name(path)
    table = _read_toml(path)
    try:
        check_values(table)
        experiment = Experiment(**table)
    except ExperimentError as error:
        raise ExperimentError(f"{path}: {error}") from None
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


def shipped() -> dict[str, Path]:
    """Return the files of all shipped experiments, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def is_shipped(path: Path) -> bool:
    """Return whether a file came with the package."""
    return path.parent == SHIPPED


def find_experiment(name: Path | str) -> Path:
    """Return the file of an experiment: a path, or the name of one that comes with the package.

    Raises:
        ExperimentError: It is neither; the nearest name is told.
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

"""From an experiment file to an Experiment, or to one line that says what is wrong with it."""

import os
import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from netstitch.errors import ExperimentError
from netstitch.experiments.experiment import Experiment
from netstitch.files.folders import check_name
from netstitch.text import did_you_mean, one_line

SHIPPED = Path(__file__).parent / "shipped"
LARGEST = 1 << 24
"""Bytes that are read; an experiment file has thousands."""
DEEPEST = 200
"""Dots in a key that are read."""
_KEYS = re.compile(r"[^\w.\"' \t-]+")
"""The text between dotted keys."""
LONGEST_NAME, LONGEST_PATH = 255, 4096
"""Bytes, on the file systems that there are."""
NO_TEXT = "is no text in UTF-8; expected TOML, saved as that and not in UTF-16 or UTF-32"
TOO_DEEP = (
    "lists or tables stand within one another too deep to be read; expected an experiment, whose "
    "tables are four deep at most"
)


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
    try:
        table = _parsed(_read_text(path))
        _check_values(table)
        experiment = Experiment(**table)
    except RecursionError:
        raise ExperimentError(f"{path}: {TOO_DEEP}") from None
    except ExperimentError as error:
        raise ExperimentError(f"{path!s:.200}: {error}") from None
    # Of one that came with the package, paths start where the user is.
    start = Path.cwd() if is_shipped(path) else path.parent
    folder = (start / os.path.expanduser(experiment.folder)).resolve()
    return experiment.model_copy(
        update={"folder": str(folder), "name": experiment.name or path.stem}
    )


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


def _read_text(path: Path) -> str:
    """Return the text of a file, without the byte-order mark that it may begin with."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe or a device may never end
            kind = "is a directory" if stat.S_ISDIR(found.st_mode) else "is a pipe or a device"
            raise ExperimentError(f"cannot be read ({kind}); expected an experiment file in TOML")
        if found.st_size > LARGEST:
            size = f"{found.st_size / 1e6:,.0f} MB"
            raise ExperimentError(f"has {size}; expected an experiment file in TOML")
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ExperimentError("the experiment file is not there; check the path") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ExperimentError(
            f"cannot be read ({reason}); expected an experiment file in TOML"
        ) from error
    except UnicodeDecodeError:
        raise ExperimentError(NO_TEXT) from None


def _parsed(text: str) -> dict[str, Any]:
    if "\0" in text:
        raise ExperimentError(NO_TEXT)
    if any(part.count(".") > DEEPEST for part in _KEYS.split(text)):
        raise RecursionError  # the parser would take memory for the square of it
    try:
        return tomllib.loads(text.replace("\r\n", "\n").replace("\r", "\n"))
    except ValueError as error:
        raise ExperimentError(f"is no valid TOML: {one_line(error)}; correct that line") from error


def _check_values(document: dict[str, object]) -> None:
    """Raise ExperimentError for whole numbers and texts that no setting can have."""
    for key, value in _values("", document):
        fault = None
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            fault = "is a whole number of more than 64 bits; give a smaller one"
        if isinstance(value, str):
            encoded = value.encode()
            if "\0" in value:
                fault = "has the character 0, which no name can have; leave it out"
            elif len(encoded) > LONGEST_PATH or any(
                len(part) > LONGEST_NAME for part in encoded.split(b"/")
            ):
                fault = (
                    f"is a text of {len(value):,} characters; expected names of {LONGEST_NAME} "
                    f"bytes at most, and paths of {LONGEST_PATH:,}"
                )
        if fault is not None:
            raise ExperimentError(f"{key[-200:]} {fault}")


def _values(key: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _values(f"{key}.{name}".lstrip("."), inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value, start=1):
            yield from _values(f"{key}[{number}]", inner)
    else:
        yield key, value

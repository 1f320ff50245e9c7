"""Options that several commands take, and an experiment as they change it."""

import math
import re
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter, Token

from netstitch.errors import SearchError
from netstitch.text import command

if TYPE_CHECKING:
    from netstitch.experiments import Experiment


SWEEP = "sweep"
BITS = 64


def parse_whole(kind: Any, tokens: Sequence[Token]) -> int:
    """The number of an option; raises ValueError, which becomes a line, for any other."""
    return _whole(tokens[0].value, "a whole number")


def parse_size(kind: Any, tokens: Sequence[Token]) -> int | str:
    """A population size, or the word for all of them."""
    word = tokens[0].value
    return SWEEP if word == SWEEP else _whole(word, f"a whole number or {SWEEP!r}")


def _whole(word: str, expected: str) -> int:
    try:
        number = int(word)
    except ValueError:
        raise ValueError(f"expected {expected}, not {word!r:.80}") from None
    if not -(2 ** (BITS - 1)) <= number < 2 ** (BITS - 1):
        raise ValueError(f"expected {expected} of {BITS} bits at most, not {word!r:.80}")
    return number


Whole = Annotated[int, Parameter(converter=parse_whole)]
Population = Annotated[
    int | Literal["sweep"] | None,
    Parameter(name=["--population-size", "--population"], converter=parse_size),
]
Executor = Literal["serial", "processes", "ray"] | None
Folder = Annotated[Path | None, Parameter(name=["--output", "-o"])]
Device = Annotated[tuple[str, ...] | None, Parameter(name="--device", negative="")]
Formats = tuple[Literal["json", "pt2", "onnx"], ...]
ALL_FORMATS: Formats = ("json", "pt2", "onnx")


def again(*options: str) -> str:
    """Return the whole command as it was given, with options more."""
    return command(*sys.argv[1:], *options)


_FACTORS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}


def parse_amount(text: str) -> float:
    """A positive number of multiply-adds; raises SearchError for anything else."""
    number = r"[0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?"
    found = re.fullmatch(rf"\s*({number})\s*([kmgt]?)\s*", text, re.IGNORECASE)
    if found is None or not 0 < float(found.group(1)) < math.inf:
        raise SearchError(f"{text!r} is no number of multiply-adds; expected such as 5M or 1.2G")
    return float(found.group(1)) * _FACTORS[found.group(2).lower()]


def free_folder(folder: Path) -> Path:
    """The folder, or the first of folder-2, folder-3, ... that is not there yet."""
    if not folder.exists():
        return folder
    numbered = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    return next(candidate for candidate in numbered if not candidate.exists())


def asked_for(
    file: Path,
    *,
    data: Path | None = None,
    weights: Path | None = None,
    paper: bool | None = None,
    device: tuple[str, ...] | None = None,
    seed: int | None = None,
    search: dict[str, Any] | None = None,
    evaluation: dict[str, Any] | None = None,
) -> "Experiment":
    """The experiment of a file with what the options say instead; None keeps the file's."""
    from netstitch.experiments import read_experiment
    from netstitch.runs.planning import override

    return override(
        read_experiment(file),
        seed=seed,
        data=None if data is None else str(data.absolute()),
        weights=None if weights is None else str(weights.absolute()),
        procedure=None if paper is None else "paper" if paper else "netstitch",
        search=search,
        evaluation={
            "device": None if device is None else list(device),
            **(evaluation or {}),
        },
    )

"""Options that several commands take, and an experiment as they change it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from netstitch.cli.whole import parse_size, parse_whole

if TYPE_CHECKING:
    from netstitch.experiments import Experiment

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
    from netstitch.experiments.planning import override

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

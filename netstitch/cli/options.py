"""Options that several commands take, and an experiment as they change it."""

import json
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
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


def parse_whole(kind: object, tokens: Sequence[Token]) -> int:
    """Return the number of an option; raises ValueError, which becomes a line, for any other."""
    return _whole(tokens[0].value, "a whole number")


def parse_size(kind: object, tokens: Sequence[Token]) -> int | str:
    """Return a population size, or the word for all of them."""
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


WholeNumber = Annotated[int, Parameter(converter=parse_whole)]
Folder = Annotated[Path | None, Parameter(name=["--output", "-o"])]
Formats = Annotated[
    tuple[Literal["json", "pt2", "onnx"], ...],
    Parameter(help="What to write: json, pt2, onnx; by default all."),
]
ALL_FORMATS: Formats = ("json", "pt2", "onnx")
FinishedFolder = Annotated[Path, Parameter(help="The folder of a finished run.")]
TrustSamples = Annotated[
    bool,
    Parameter(
        help="Run the Python that the run's samples come from, where that is not your own, or "
        "changed."
    ),
]
TensorBoardFolder = Annotated[
    bool,
    Parameter(help="Also write scalars for TensorBoard, into the folder tensorboard of the run."),
]


def again(*options: str) -> str:
    """Return the whole command as it was given, with options more."""
    return command(*sys.argv[1:], *options)


_FACTORS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}


def parse_amount(text: str) -> float:
    """Return a positive amount, such as of multiply-adds; raises SearchError for anything else."""
    number = r"[0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?"
    found = re.fullmatch(rf"\s*({number})\s*([kmgt]?)\s*", text, re.IGNORECASE)
    if found is None or not 0 < float(found.group(1)) < math.inf:
        raise SearchError(f"{text!r} is no positive amount; expected such as 5M or 1.2G")
    return float(found.group(1)) * _FACTORS[found.group(2).lower()]


def free_folder(folder: Path) -> Path:
    """Return the folder, or the first of folder-2, folder-3, ... that is not there yet."""
    if not folder.exists():
        return folder
    numbered = (folder.with_name(f"{folder.name}-{number}") for number in count(2))
    return next(candidate for candidate in numbered if not candidate.exists())


_TEXTS: dict[str, str] = json.loads(Path(__file__).with_name("key_texts.json").read_text())
"""The texts of settings by dotted key, written down since their classes load slowly."""


def _text(key: str, **others: Any) -> Parameter:
    """Return an option that takes the place of a key of the experiment, with the key's text."""
    return Parameter(help=f"Instead of {key}: {_TEXTS[key]}", **others)


def _training(setting: str, **others: Any) -> Parameter:
    """Return an option with the text of a setting of fine-tuning."""
    return Parameter(help=_TEXTS[f"finetune.{setting}"], **others)


@Parameter(name="*")
@dataclass(frozen=True)
class ExperimentOptions:
    """An experiment's files, and its procedure."""

    data: Annotated[Path | None, _text("data")] = None
    weights: Annotated[Path | None, _text("weights")] = None
    paper: Annotated[
        bool | None,
        Parameter(
            help="Instead of the experiment's tables matching, fit, refine and cascades what the "
            "paper does, but for what docs/differences.md lists: neither exits nor cascades are "
            "found; it searches so too: the references are "
            "evaluated apart, objectives are normalised in a frozen frame, LK-GOMEA compares whole "
            "genotypes to see that it converged, as many evaluations are under way as there are "
            "places, results count as they are finished, and no batch norm is recalibrated. "
            "--no-paper for what netstitch does by default."
        ),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True)
class BudgetOptions:
    """Keys of [search] that end it."""

    evaluations: Annotated[WholeNumber | None, _text("search.evaluations")] = None
    seconds: Annotated[float | None, _text("search.seconds")] = None


SecondsOfDemo = Annotated[
    float | None,
    Parameter(
        help="After which the search ends in any case, by default 50; its budget of evaluations "
        "mostly ends it before."
    ),
]


@Parameter(name="*")
@dataclass(frozen=True)
class SearchOptions(BudgetOptions):
    """Keys of [search]."""

    algorithm: Annotated[str | None, _text("search.algorithm")] = None
    population: Annotated[
        int | Literal["sweep"] | None,
        _text(
            "search.population",
            name=["--population-size", "--population"],
            converter=parse_size,
        ),
    ] = None


@Parameter(name="*")
@dataclass(frozen=True)
class TrainingOptions:
    """The training of a front's network; None for the default of its settings."""

    teacher: Annotated[str | None, _training("teacher")] = None
    trained: Annotated[Literal["stitches", "all"] | None, _training("trained", name="--train")] = (
        None
    )
    epochs: Annotated[WholeNumber | None, _training("epochs")] = None
    learning_rate: Annotated[float | None, _training("learning_rate")] = None
    batch_size: Annotated[WholeNumber | None, _training("batch_size")] = None
    seed: Annotated[WholeNumber | None, _training("seed")] = None


@Parameter(name="*")
@dataclass(frozen=True)
class EvaluationOptions:
    """Keys of [evaluation] that say where evaluations run."""

    device: Annotated[
        tuple[str, ...] | None, _text("evaluation.device", name="--device", negative="")
    ] = None
    executor: Annotated[
        Literal["serial", "processes", "ray"] | None, _text("evaluation.executor")
    ] = None
    workers: Annotated[WholeNumber | None, _text("evaluation.workers")] = None
    address: Annotated[str | None, _text("evaluation.address")] = None


@Parameter(name="*")
@dataclass(frozen=True)
class UnderWayOptions(EvaluationOptions):
    """Keys of [evaluation], those among them on which the search depends."""

    in_flight: Annotated[WholeNumber | None, _text("evaluation.in_flight")] = None
    order: Annotated[Literal["asked", "finished"] | None, _text("evaluation.order")] = None


@Parameter(name="*")
@dataclass(frozen=True)
class CascadeOptions:
    """Keys of [cascades]; None for what the run says."""

    stages: Annotated[Literal[2, 3] | None, _text("cascades.stages")] = None
    stitched: Annotated[bool | None, _text("cascades.stitched")] = None
    candidates: Annotated[WholeNumber | None, _text("cascades.candidates")] = None
    confidence: Annotated[
        Literal["probability", "margin", "entropy", "agreement"] | None,
        _text("cascades.confidence"),
    ] = None
    memory: Annotated[WholeNumber | None, _text("cascades.memory")] = None


@Parameter(name="*")
@dataclass(frozen=True)
class ChoiceOptions:
    """The one network or cascade of a front that is meant.

    Parameters
    ----------
    max_macs: str
        The most accurate network of at most so many multiply-adds, such as 5M or 1.2G.
    max_cost: str
        The same of the cost that the run searched with, in its unit.
    max_mean_cost: str
        The most accurate network or cascade of at most this mean cost over validation samples.
    max_worst_case: str
        The most accurate network or cascade that costs at most this for any sample; with an
        accuracy, the one with the least mean cost.
    min_accuracy: float
        The network or cascade with the least mean cost of at least this validation accuracy, such
        as 0.93.
    point: str
        The network called P3 (or 3) in the run's table, or the cascade called C3.
    """

    max_macs: str | None = None
    max_cost: str | None = None
    max_mean_cost: str | None = None
    max_worst_case: str | None = None
    min_accuracy: float | None = None
    point: str | None = None

    @property
    def limits(self) -> dict[str, str]:
        """The limits that are given, by name."""
        return {
            name: text
            for name, text in vars(self).items()
            if name.startswith("max_") and text is not None
        }


def with_options(
    file: Path,
    options: ExperimentOptions | None = None,
    search: BudgetOptions | None = None,
    evaluation: EvaluationOptions | None = None,
    *,
    seed: int | None = None,
) -> "Experiment":
    """Return the experiment of a file with what the options say instead; None keeps the file's."""
    from netstitch.experiments import override, read_experiment

    options = options or ExperimentOptions()
    paths = {"data": options.data, "weights": options.weights}
    top = {key: None if path is None else str(path.absolute()) for key, path in paths.items()}
    procedure = None if options.paper is None else "paper" if options.paper else "netstitch"
    return override(
        read_experiment(file),
        search=None if search is None else vars(search),
        evaluation=None if evaluation is None else vars(evaluation),
        procedure=procedure,
        seed=seed,
        **top,
    )

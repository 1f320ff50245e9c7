"""Settings of the fitting methods, each declared once: default, bounds, and text.

Keyword arguments of `Supernet.fit` and keys of an experiment's [fit] are fields of these models.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, TypeVar, get_args

import numpy as np
from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo

from netstitch.errors import FittingError
from netstitch.fitting.moments import POSITIONS
from netstitch.fitting.solve import RIDGE
from netstitch.text import expected_one_of

Holdout = Annotated[
    float,
    Field(
        gt=0,
        le=0.5,
        description="share of the samples that errors are measured on",
    ),
]

REMOVED: Mapping[tuple[str, str], str] = {
    ("method", "sequential"): "it was removed: give 'least-squares', and refine the stitches for "
    "inputs that come through others",
    ("ridge", "held-out"): "it was removed: give a number of 0 or more, or leave it out",
}
"""What replaces a value that a setting of this name could have in earlier versions."""


class FittingSettings(BaseModel):
    """Settings of one method; unknown names and values of other types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class LeastSquaresSettings(FittingSettings):
    """Settings of `fit_least_squares`."""

    ridge: float = Field(
        default=RIDGE,
        ge=0,
        description="how strongly weights are drawn to 0, relative to the mean variance of what "
        "the stitch reads",
    )
    holdout: Holdout = 0.125
    memory_budget: int = Field(
        default=2_000_000_000,
        ge=1,
        description="bytes for the moments, beyond which there are more passes",
    )
    positions: int = Field(
        default=POSITIONS,
        ge=1,
        description="of larger maps so many, at random, are looked at in each image",
    )

    @field_validator("ridge", mode="before")
    @classmethod
    def _check_removed(cls, ridge: object) -> object:
        if ("ridge", str(ridge)) in REMOVED:
            raise ValueError(REMOVED["ridge", str(ridge)])
        return ridge


class AdamSettings(FittingSettings):
    """Settings of `fit_adam`."""

    learning_rate: float = Field(
        default=1e-3,
        gt=0,
        description="of the first step; it falls to 0 along a cosine",
    )
    batch_size: int = Field(default=32, ge=1, description="images a training step")
    samples: int = Field(
        default=16_384,
        ge=1,
        description="images trained on in all, repeats included",
    )
    weight_decay: float = Field(default=0.0, ge=0, description="decoupled from the gradient")
    holdout: Holdout = 0.125
    memory_budget: int = Field(
        default=2_000_000_000,
        ge=1,
        description="bytes of images to hold, so that they can be shuffled",
    )
    seed: int = Field(
        default=1,
        ge=0,
        description="of the initial weights and of the order of the images",
    )


Chosen = TypeVar("Chosen", bound=FittingSettings)


def make_settings(
    model: type[Chosen], name: str, given: Mapping[str, Any], others: Iterable[str] = ()
) -> Chosen:
    """Return keyword arguments as the settings of a method.

    Args:
        model: The class of the settings.
        name: What messages call the method.
        given: Values by name; numbers may be numpy's.
        others: Further keyword arguments that the caller takes, for the message.

    Raises:
        FittingError: A name is not known, or a value is of another type or out of bounds.
    """
    for key in given:
        if key not in model.model_fields:
            known = [*model.model_fields, *others]
            raise FittingError(f"{name} has no setting {key!r}: {expected_one_of(key, known)}")
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in given.items()}
    try:
        return model.model_validate(plain)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = str(first["loc"][0])
        if first["type"] == "value_error":
            expected = first["msg"].removeprefix("Value error, ")
        elif first["type"].endswith(("_type", "_from_float")):
            expected = f"expected {_kind(model.model_fields[key])}"
        else:
            expected = f"expected {_bounds(model.model_fields[key]) or first['msg']}"
        raise FittingError(f"{key} is {given[key]!r:.80}: {expected}") from error


_KINDS = ((int, "a whole number"), (float, "a number"), (str, "text"), (type(None), "None"))


def _kind(field: FieldInfo) -> str:
    """Return the types of a field in words."""
    kinds = get_args(field.annotation) or (field.annotation,)
    return " or ".join(word for kind, word in _KINDS if kind in kinds)


def _bounds(field: FieldInfo) -> str:
    """Return the bounds of a number in words."""
    words = []
    for bound in field.metadata:
        if isinstance(bound, Ge):
            words.append(f"{bound.ge} or more")
        elif isinstance(bound, Gt):
            words.append(f"a number over {bound.gt}")
        elif isinstance(bound, Le):
            words.append(f"at most {bound.le:g}")
    return ", and ".join(words)


def check_threads(threads: Any) -> None:
    """Raise FittingError unless a number of threads is a whole one of 1 or more, or None."""
    if threads is not None and (type(threads) is not int or threads < 1):
        raise FittingError(f"threads is {threads!r:.80}: expected a whole number of 1 or more")

"""The table of an experiment file that says how stitches are fitted."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag, field_validator

from netstitch.experiments.table import Count, Table
from netstitch.fitting.fit_settings import REMOVED
from netstitch.fitting.moments import POSITIONS
from netstitch.fitting.solve import RIDGE

# Literals by type too, since they are the values of fields of one possible value.
LEAST_SQUARES: Literal["least-squares"] = "least-squares"
ADAM: Literal["adam"] = "adam"
_METHODS = "'least-squares' (the default) or 'adam'"


class LeastSquaresTable(Table):
    """Stitches fitted in closed form."""

    method: Literal["least-squares"] = Field(default=LEAST_SQUARES, description=_METHODS)
    batch: Count = Field(default=64, description="images a batch; by default 64")
    ridge: float = Field(
        default=RIDGE,
        ge=0,
        allow_inf_nan=False,
        description="how strongly weights are drawn to 0, relative to the mean variance of what "
        "the stitch reads; by default 1e-4",
    )
    holdout: float = Field(
        default=0.125,
        gt=0,
        le=0.5,
        description="share of the samples that errors are measured on; by default 0.125",
    )
    memory_budget: Count = Field(
        default=2_000_000_000,
        description="bytes for the moments, beyond which there are more passes; by default 2e9",
    )
    positions: Count = Field(
        default=POSITIONS,
        description="of larger maps so many, at random, are looked at in each image; by default "
        "1024",
    )

    @field_validator("ridge", mode="before")
    @classmethod
    def _not_removed(cls, ridge: Any) -> Any:
        if ("ridge", str(ridge)) in REMOVED:
            raise ValueError(REMOVED["ridge", ridge])
        return ridge


class AdamTable(Table):
    """Stitches trained as the paper does (section 6)."""

    method: Literal["adam"] = Field(default=ADAM, description=_METHODS)
    batch: Count = Field(
        default=64, description="images a batch in which samples are read; by default 64"
    )
    learning_rate: float = Field(
        default=1e-3,
        gt=0,
        description="of the first step; it falls to 0 along a cosine; by default 1e-3",
    )
    batch_size: Count = Field(default=32, description="images a training step; by default 32")
    samples: Count = Field(
        default=16_384, description="images trained on in all, repeats included; by default 16,384"
    )
    weight_decay: float = Field(
        default=0.0, ge=0, description="decoupled from the gradient; by default 0, none"
    )
    holdout: float = Field(
        default=0.125,
        gt=0,
        le=0.5,
        description="share of the samples that errors are measured on; by default 0.125",
    )
    memory_budget: Count = Field(
        default=2_000_000_000,
        description="bytes of images to hold, so that they can be shuffled; by default 2e9",
    )


def _method(table: Any) -> Any:
    if isinstance(table, BaseModel):
        return getattr(table, "method", None)
    return table.get("method", LEAST_SQUARES) if isinstance(table, dict) else LEAST_SQUARES


FitTable = Annotated[
    Annotated[LeastSquaresTable, Tag(LEAST_SQUARES)] | Annotated[AdamTable, Tag(ADAM)],
    Discriminator(_method),
]
"""The table of the method that it names; each method has settings of its own."""

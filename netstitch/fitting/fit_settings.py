"""Settings of the fitting methods, each declared once: default, bounds, and text.

Keyword arguments of `Supernet.fit` and keys of an experiment's [fit] are fields of these models.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from netstitch.errors import FittingError
from netstitch.files.settings import MEMORY, Settings
from netstitch.fitting.moments import POSITIONS
from netstitch.fitting.solve import RIDGE

Holdout = Annotated[
    float,
    Field(
        gt=0,
        le=0.5,
        description="Share of the samples that errors are measured on.",
    ),
]


class FittingSettings(Settings):
    """Settings of one method."""

    refusal = FittingError


class LeastSquaresSettings(FittingSettings):
    """Settings of `fit_least_squares`."""

    called = "least-squares"
    removed: ClassVar = {
        ("ridge", "held-out"): "it was removed: give a number of 0 or more, or leave it out"
    }

    ridge: float = Field(default=RIDGE, ge=0)
    """The strength with which weights are drawn to 0, relative to the mean variance of what the
    stitch reads."""
    holdout: Holdout = 0.125
    memory_budget: int = Field(default=MEMORY, ge=1)
    """Bytes for the moments, beyond which there are more passes."""
    positions: int = Field(default=POSITIONS, ge=1)
    """The number of positions, at random, that are looked at in each image of larger maps."""


class AdamSettings(FittingSettings):
    """Settings of `fit_adam`."""

    called = "adam"

    learning_rate: float = Field(default=1e-3, gt=0)
    """The rate of the first step."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """The learning rate after the first step: it falls to 0 along a 'cosine', as in the authors'
    code, or stays 'constant'."""
    batch_size: int = Field(default=32, ge=1)
    """Images a training step."""
    samples: int = Field(default=16_384, ge=1)
    """Images trained on in all, repeats included."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled from the gradient."""
    holdout: float = Field(default=0.125, ge=0, le=0.5)
    """Share of the samples that errors are measured on, and that are not trained on; 0 to train on
    all, and measure errors on every eighth of these."""
    memory_budget: int = Field(default=MEMORY, ge=1)
    """Bytes of images to hold, so that they can be shuffled."""
    seed: int = Field(default=1, ge=0)
    """The seed of the initial weights and of the order of the images."""


class ExitSettings(FittingSettings):
    """Settings of `fit_exits`."""

    called = "exits"

    exits: int = Field(default=24, ge=1)
    """Exits of each network that are fitted, at most: of points of equal cost the last one, and of
    more than these, some that are spread over the network's cost."""
    points: int = Field(default=8, ge=1)
    """Points whose features an exit reads, at most: its own one, or it and those before it, as
    held-out samples say."""
    holdout: Holdout = 0.2
    positions: int = Field(default=16, ge=1)
    """The number of positions, at random, that are looked at in each image where outputs are
    maps."""
    memory_budget: int = Field(default=MEMORY, ge=1)
    """Bytes of features to hold, beyond which samples are not read; and of what fitting takes."""


def check_threads(threads: object) -> None:
    """Raise FittingError unless a number of threads is a whole one of 1 or more, or None."""
    if threads is not None and (type(threads) is not int or threads < 1):
        raise FittingError(f"threads is {threads!r:.80}; expected a whole number of 1 or more")

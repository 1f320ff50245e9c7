"""Settings of refining, each declared once: default, bounds, and text.

Keyword arguments of `Supernet.refine` and keys of an experiment's [refine] are fields of the model.
"""

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field

from netstitch.files.settings import MEMORY
from netstitch.fitting.fit_settings import FittingSettings
from netstitch.fitting.refinement.behaviour_losses import LOSSES, BehaviourLoss
from netstitch.fitting.refinement.views import AS_THEY_ARE, Views
from netstitch.text import expected_one_of

OWN = "own"
"""The teacher that is the all-original network of a subnetwork's output choice."""


def _check_loss(loss: object) -> object:
    if callable(loss) or loss in LOSSES:
        return loss
    raise ValueError(f"{expected_one_of(loss, LOSSES)}, or a function of outputs and labels")


class RefineSettings(FittingSettings):
    """Settings of `refine`."""

    called = "refine"
    removed: ClassVar = {
        ("loss", "features"): "it was removed: give 'outputs', after which networks are better"
    }

    loss: Annotated[BehaviourLoss, BeforeValidator(_check_loss)] = "outputs"
    """The comparison that is made: 'outputs' of stitched networks with those of their teachers, or
    with 'labels'."""
    teacher: str = Field(default=OWN, min_length=1)
    """The network whose output it is ('own'), or for all the one of a name, or 'ensemble'."""
    steps: int | None = Field(default=None, ge=1)
    """Budget of steps; by default, where seconds give none, 300, or 5 for each stitch where that is
    more."""
    seconds: float | None = Field(default=None, gt=0)
    """Budget of time; by default none; of two budgets the stricter counts. No step begins that
    would end more than a twentieth later, but one is done."""
    # Adam's steps are float32, and it divides the rate by less than 1.
    learning_rate: float = Field(default=1e-2, gt=0, le=1e30)
    """The rate of the first step, for features that vary by 1; it falls along a cosine."""
    batch_size: int = Field(default=32, ge=1)
    """Images of a batch."""
    subnetworks: int = Field(default=6, ge=1)
    """Sampled for each batch."""
    holdout: float = Field(default=0.125, gt=0, le=0.5)
    """Share of the samples not trained on: half of them choose which stitches improved, half are
    reported on."""
    memory_budget: int = Field(default=MEMORY, ge=1)
    """Bytes, each, of images held, and of activations."""
    seed: int = Field(default=1, ge=0)
    """The seed of everything random."""
    views: Views = AS_THEY_ARE
    """Random views in which images that are trained on are seen, another one each time; those that
    choose and report on stitches are seen as they are."""

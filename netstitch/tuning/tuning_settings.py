"""Settings of fine-tuning, each declared once: default, bounds, and text."""

from typing import Literal

from pydantic import Field

from netstitch.errors import FittingError
from netstitch.files.settings import Settings

Trained = Literal["stitches", "all"]
LABELS = "labels"
"""The word for no teacher: networks are trained on the samples' labels."""


class FineTuneSettings(Settings):
    """Settings of `finetune`."""

    refusal = FittingError
    called = "finetune"

    teacher: str = Field(default=LABELS, min_length=1)
    """The network whose outputs are learned, without labels: 'ensemble', or a basis network's name;
    by default 'labels', which are learned instead."""
    trained: Trained = "stitches"
    """The network's stitches, or all of its weights; by default stitches."""
    epochs: int = Field(default=1, ge=1)
    """Passes over the samples; by default 1."""
    learning_rate: float = Field(default=1e-4, gt=0, le=1e36)  # float32 has little more
    """The rate of Adam's first step; it falls to 0 along a cosine; by default 1e-4."""
    batch_size: int = Field(default=32, ge=1)
    """Samples a step; by default as many as the run's stitches were fitted on, or 32."""
    seed: int = Field(default=1, ge=0)
    """The seed of the samples' order; by default 1."""

"""A source of models by name, all of layers on tokens (n, 5, 6)."""

from pathlib import Path

import torch
from torch import Tensor, nn

from netstitch.errors import CaptureError

WIDTHS = {"narrow": 4, "wide": 8}


class Mixer(nn.Module):
    """Layers on tokens (n, t, c); the classes are of their mean."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embed, self.mix, self.head = (
            nn.Linear(6, width), nn.Linear(width, width), nn.Linear(width, 3),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        x = self.mix(self.embed(x).relu()).relu()
        logits: Tensor = self.head(x.mean(1))
        return logits


def build_toy(name: str, pretrained: bool, file: Path | None) -> nn.Module:
    """Return the model of a name; "pretrained" weights are those of one seed."""
    if name not in WIDTHS:
        raise CaptureError(f"toy has no model {name!r}: expected one of {', '.join(WIDTHS)}")
    with torch.random.fork_rng(devices=[]):
        if pretrained:
            torch.manual_seed(WIDTHS[name])
        return Mixer(WIDTHS[name])

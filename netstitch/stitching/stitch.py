"""A stitch: a linear map from one network's point to another's (the paper's section 3)."""

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class FeatureRef:
    """A point of one of the basis networks."""

    network: int
    point: str


@dataclass(frozen=True)
class Stitch:
    """Which map, from where to where.

    match: index of the match that it belongs to.
    inputs, outputs: features of the source and of the target point.
    spatial: whether the points are (batch, features, height, width) and the map a 1x1
        convolution; otherwise they are (batch, features) and the map is a linear layer.
    positions: height times width of the points, 1 where they are not spatial.
    """

    match: int
    source: FeatureRef
    target: FeatureRef
    inputs: int
    outputs: int
    spatial: bool
    positions: int

    @property
    def multiply_adds(self) -> int:
        """Of one image."""
        return self.inputs * self.outputs * self.positions

    def layer(self) -> nn.Linear | nn.Conv2d:
        """A new layer with PyTorch's own initial weights."""
        if self.spatial:
            return nn.Conv2d(self.inputs, self.outputs, kernel_size=1)
        return nn.Linear(self.inputs, self.outputs)

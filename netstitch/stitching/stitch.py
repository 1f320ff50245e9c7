"""A stitch: a linear map from one network's point to another's (the paper's section 3)."""

from dataclasses import dataclass

from netstitch.networks.feature_layout import FeatureLayout, StitchLayer


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
    layout: how both points hold their features, which says what layer translates.
    positions: how often the map is applied to one sample: height times width of maps, 1 of vectors.
    """

    match: int
    source: FeatureRef
    target: FeatureRef
    inputs: int
    outputs: int
    layout: FeatureLayout
    positions: int

    @property
    def multiply_adds(self) -> int:
        """Of one image."""
        return self.inputs * self.outputs * self.positions

    def layer(self) -> StitchLayer:
        """A new layer with PyTorch's own initial weights."""
        return self.layout.layer(self.inputs, self.outputs)

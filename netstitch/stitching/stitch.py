"""A stitch: a linear map from one network's point to another's (the paper's section 3)."""

from dataclasses import dataclass

from netstitch.networks.feature_layout import FeatureLayout, StitchLayer


@dataclass(frozen=True)
class FeatureRef:
    """A point of one of the basis networks, by the network's index and the node's name."""

    network: int
    point: str


@dataclass(frozen=True)
class Stitch:
    """A linear map from one point's features to another's.

    Attributes:
        match: index of the match that it belongs to.
        source: the point that it reads.
        target: the point that its result replaces.
        inputs: channels of the source.
        outputs: channels of the target.
        layout: of both points; it knows the layer that translates.
        positions: how often the map is applied to a sample: height times width of maps.
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
        """Multiply-adds for one image."""
        return self.inputs * self.outputs * self.positions

    def layer(self) -> StitchLayer:
        """Return a new layer with PyTorch's own initial weights."""
        return self.layout.layer(self.inputs, self.outputs)

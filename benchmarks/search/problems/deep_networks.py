"""ResNet-152 and EfficientNet-B4 as graphs, from their papers' tables: no weights, no tensors.

He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), table 1; Tan and Le,
"EfficientNet" (ICML 2019), table 1 with widths times 1.4 and depths times 1.8. A node is a
convolution with the norm behind it, an activation, a sum, or a gate's part, with the multiply-adds
that it takes at 224 pixels. These are all points at which a stitch makes a difference: a norm is a
linear map too, of each channel, so that one before it and one behind it are as good.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from netstitch.networks.graph import BATCH, INPUT, Graph, Node, Ref

PIXELS, CLASSES = 224, 1000
RESNET = ((3, 64, 1), (8, 128, 2), (36, 256, 2), (3, 512, 2))
"""Blocks of each stage, channels within them, stride of the first."""

EFFICIENTNET = (
    *((2, 24, 3, 1, 1), (4, 32, 3, 2, 6), (4, 56, 5, 2, 6), (6, 112, 3, 2, 6)),
    *((6, 160, 5, 1, 6), (8, 272, 5, 2, 6), (2, 448, 3, 1, 6)),
)
"""Blocks of each stage, channels, kernel, stride of the first, expansion."""


@dataclass(frozen=True)
class Known:
    """All that matching needs of a network."""

    name: str
    graph: Graph


class _Layers:
    """A graph that grows by a layer behind a layer; each is told by its name."""

    def __init__(self) -> None:
        self.nodes = [Node("x", INPUT, shape=(BATCH, 3, PIXELS, PIXELS))]
        self._shapes = {"x": (3, PIXELS)}

    def width(self, layer: str) -> int:
        """Its channels."""
        return self._shapes[layer][0]

    def convolved(
        self, source: str, channels: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> str:
        width, size = self._shapes[source]
        size = ceil(size / stride)
        cost = size**2 * channels * kernel**2 * (width // groups)
        return self._add("conv2d", (source,), channels, size, cost)

    def activated(self, source: str) -> str:
        return self._add("relu", (source,), *self._shapes[source])

    def joined(self, first: str, second: str) -> str:
        """The sum, or the product with a gate."""
        return self._add("add", (first, second), *self._shapes[first])

    def pooled(self, source: str, size: int = 1) -> str:
        return self._add("pool", (source,), self._shapes[source][0], size)

    def classified(self, source: str) -> Graph:
        """The whole graph, which ends with a linear layer."""
        width, _ = self._shapes[source]
        name, cost = f"n{len(self.nodes)}", width * CLASSES
        shape = (BATCH, CLASSES)
        last = Node(name, "linear", (Ref(source),), shape=shape, multiply_adds=cost, point=True)
        return Graph((*self.nodes, last), ((None, name),))

    def _add(
        self, operation: str, sources: tuple[str, ...], channels: int, size: int, cost: int = 0
    ) -> str:
        name = f"n{len(self.nodes)}"
        self._shapes[name] = channels, size
        shape = (BATCH, channels, size, size)
        arguments = tuple(map(Ref, sources))
        self.nodes.append(
            Node(name, operation, arguments, shape=shape, multiply_adds=cost, point=True)
        )
        return name


def resnet152() -> Known:
    layers = _Layers()
    last = layers.pooled(layers.activated(layers.convolved("x", 64, 7, 2)), PIXELS // 4)
    for blocks, channels, first_stride in RESNET:
        for stride in _strides(blocks, first_stride):
            inner = layers.activated(layers.convolved(last, channels))
            inner = layers.activated(layers.convolved(inner, channels, 3, stride))
            inner = layers.convolved(inner, 4 * channels)
            if stride > 1 or layers.width(last) < 4 * channels:
                last = layers.convolved(last, 4 * channels, stride=stride)
            last = layers.activated(layers.joined(inner, last))
    return Known("resnet152", layers.classified(layers.pooled(last)))


def efficientnet_b4() -> Known:
    layers = _Layers()
    last, width = layers.activated(layers.convolved("x", 48, 3, 2)), 48
    for blocks, channels, kernel, first_stride, expansion in EFFICIENTNET:
        for stride in _strides(blocks, first_stride):
            inner, wide = last, expansion * width
            if expansion > 1:
                inner = layers.activated(layers.convolved(inner, wide))
            inner = layers.activated(layers.convolved(inner, wide, kernel, stride, wide))
            gate = layers.activated(layers.convolved(layers.pooled(inner), width // 4))
            inner = layers.joined(inner, layers.activated(layers.convolved(gate, wide)))
            inner = layers.convolved(inner, channels)
            skipped = stride == 1 and width == channels
            last, width = layers.joined(inner, last) if skipped else inner, channels
    last = layers.activated(layers.convolved(last, 1792))
    return Known("efficientnet_b4", layers.classified(layers.pooled(last)))


def _strides(blocks: int, first: int) -> Iterator[int]:
    yield first
    yield from [1] * (blocks - 1)

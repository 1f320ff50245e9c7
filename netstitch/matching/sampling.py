"""Features of points at sampled positions, from unlabelled batches."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, fx

from netstitch.alignment import aligned
from netstitch.errors import MatchingError
from netstitch.networks.graph import Dimension, Node
from netstitch.networks.inputs import Batch, read_batches
from netstitch.networks.module import build_module
from netstitch.networks.network import Network

FLOAT = 4
"""Bytes of a feature."""

RUN_TOGETHER = 32
"""Images in one go."""


@dataclass(frozen=True)
class Sampling:
    """How much of a layout's points is read.

    images: of the inputs, the first so many. positions: of each image, drawn anew for each.
    """

    images: int
    positions: int


def first_inputs(batches: Iterable[Batch], count: int, shape: Sequence[Dimension]) -> Tensor:
    """The first `count` inputs (all, where there are fewer) of a stream of batches: (n, ...).

    shape: of the networks' input, the batch first.

    Raises MatchingError where a batch is no tensor of finite floats of that shape, or there are no
    inputs.
    """
    found: list[Tensor] = []
    missing = count
    for number, values, _ in read_batches(batches, MatchingError):
        if tuple(values.shape[1:]) != tuple(shape[1:]):
            raise MatchingError(
                f"batch {number} for stitchability has shape {tuple(values.shape)}: the networks "
                f"were captured for ({', '.join(map(str, shape))}); give inputs of that size"
            )
        values = values[:missing]
        if not values.isfinite().all():
            raise MatchingError(
                f"batch {number} for stitchability holds NaN or infinity: clean the inputs"
            )
        found.append(values.float())
        missing -= len(values)
        if missing <= 0:
            break
    inputs = torch.cat(found) if found else torch.zeros(0)
    if not len(inputs):
        raise MatchingError(
            "the batches for stitchability hold no samples: give at least one batch of inputs, as "
            "a list or a data loader that can be read again"
        )
    return inputs


def choose_sampling(images: int, cells: int, channels: int, rows: int, budget: int) -> Sampling:
    """As many rows of a layout's features as are wanted and as fit into memory, at least a few.

    images: how many there are. cells: positions of the layout. channels: of all points that are
    held at once. rows: how many are wanted. budget: bytes for them.
    """
    affordable = max(budget // (FLOAT * max(channels, 1)), 64)
    used = min(images, affordable)
    return Sampling(used, min(cells, -(-rows // used), max(affordable // used, 1)))


@dataclass(frozen=True)
class Layer:
    """Points of one layout, and how they are sampled."""

    points: tuple[Node, ...]
    sampling: Sampling


def sampled_features(
    network: Network,
    layers: Sequence[Layer],
    inputs: Tensor,
    *,
    seed: int,
    on_read: Callable[[int], None] = lambda images: None,
) -> list[list[Tensor]]:
    """Features of each layer's points: (images x positions, channels), one image's together.

    The positions depend on the seed and the layout only, so that those of two networks are the
    same. Nothing but the sampled rows outlives the step that reads a tensor last. on_read: told how
    many images were run, again and again.

    Raises MatchingError, naming the point, where features are not finite.
    """
    module = _sampling_module(network, layers)
    device = device_of(network, inputs)
    images = inputs[: max(layer.sampling.images for layer in layers)]
    chosen = [
        _positions(len(images), positions_of(layer.points[0]), layer.sampling.positions, seed)
        for layer in layers
    ]
    points = [(number, node) for number, layer in enumerate(layers) for node in layer.points]
    found: list[list[Tensor]] = [[] for _ in points]
    with torch.inference_mode():
        for start in range(0, len(images), RUN_TOGETHER):
            part = slice(start, start + RUN_TOGETHER)
            kept = [positions[part].to(device) for positions in chosen]
            values = module(aligned(images[part].to(device)), *kept)
            for (number, node), rows, value in zip(points, found, values, strict=True):
                wanted = value[: max(layers[number].sampling.images - start, 0)]
                if not wanted.isfinite().all():
                    raise MatchingError(
                        f"point {node.name!r} of {network.name} gives NaN or infinity: check the "
                        "network's weights and how the inputs are normalised"
                    )
                rows.append(wanted.flatten(0, 1).cpu())
            on_read(len(images[part]))
    sampled = iter(torch.cat(rows) for rows in found)
    return [[next(sampled) for _ in layer.points] for layer in layers]


def _sampling_module(network: Network, layers: Sequence[Layer]) -> fx.GraphModule:
    """Takes inputs and the positions (b, count) of each layer; gives (b, count, channels) a point.

    Each point is sampled as soon as it is computed: all maps of a layout are more than most
    memories hold.
    """
    names = [node.name for layer in layers for node in layer.points]
    module = build_module(network.graph, network.weights, outputs=names)
    drawn = module.graph
    result = next(node for node in drawn.nodes if node.op == "output")
    values = iter(list(result.all_input_nodes))
    last = next(node for node in drawn.nodes if node.op == "placeholder")
    picked = []
    for number, layer in enumerate(layers):
        with drawn.inserting_after(last):
            last = drawn.placeholder(f"positions_{number}")
        for _ in layer.points:
            value = next(values)
            with drawn.inserting_after(value):
                picked.append(drawn.call_function(_picked, (value, last)))
    result.args = (picked,)
    module.recompile()
    return module


def _picked(values: Tensor, positions: Tensor) -> Tensor:
    """(b, c) or (b, c, h, w) at positions (b, n): (b, n, c)."""
    if values.dim() == 2:
        return values[:, None]
    flat = values.flatten(2)
    return flat.gather(2, positions[:, None].expand(-1, flat.shape[1], -1)).mT


def device_of(network: Network, inputs: Tensor) -> torch.device:
    """Where a network's weights are; of one without, where the inputs are."""
    return next(iter(network.weights.values()), inputs).device


def _positions(images: int, cells: int, count: int, seed: int) -> Tensor:
    """(images, count) distinct positions of each image."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(images, cells, generator=generator).argsort(1)[:, :count]


def width_of(node: Node) -> int:
    """The number of a point's features."""
    assert node.shape is not None
    return int(node.shape[1])


def positions_of(node: Node) -> int:
    """The number of a point's positions; 1 where it is not spatial."""
    assert node.shape is not None
    height, width = (int(size) for size in node.shape[2:]) if len(node.shape) == 4 else (1, 1)
    return height * width

"""Exits of small supernets with random weights, and the slow, obvious way to compute them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from netstitch.files.alignment import aligned
from netstitch.matching import match
from netstitch.networks import capture
from netstitch.networks.interpreter import make_interpreter
from netstitch.stitching.exit import Exit, exit_key
from netstitch.stitching.exit_graph import SMALLEST, exit_layer, exit_output
from netstitch.supernet.supernet import Supernet


class Segmenter(nn.Module):
    """A class for each pixel of (n, 3, 16, 16), made at an eighth of the pixels."""

    def __init__(self, width: int, classes: int = 4) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, 2, 1)
        self.body = nn.Conv2d(width, 2 * width, 3, 2, 1)
        self.head = nn.Conv2d(2 * width, classes, 1)
        nn.init.normal_(self.head.weight)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        y = self.head(self.body(self.stem(x).relu()).relu())
        return {"out": functional.interpolate(y, size=(16, 16), mode="bilinear")}


class Mixer(nn.Module):
    """Classes of sequences, (n, 5, 6), from tokens (n, 5, width)."""

    def __init__(self, width: int, end: nn.Module | None = None) -> None:
        super().__init__()
        self.embed, self.mix = nn.Linear(6, width), nn.Linear(width, width)
        self.head, self.end = nn.Linear(width, 3), end or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.head(self.mix(self.embed(x).relu()).relu().mean(1)))


def joined(models: Sequence[nn.Module], example: Tensor) -> Supernet:
    a, b = (
        capture(model.eval(), example, name=name)
        for model, name in zip(models, ("wide", "deep"), strict=True)
    )
    return Supernet([a, b], match(a, b, points="all"))


def segmenters() -> Supernet:
    torch.manual_seed(3)
    return joined([Segmenter(4), Segmenter(6)], torch.randn(2, 3, 16, 16))


def random_weights(
    supernet: Supernet, exits: Sequence[Exit], output: str | None = None
) -> dict[str, Tensor]:
    """Weights for exits by key."""
    made = exit_output(supernet.structure, output)
    generator = torch.Generator().manual_seed(len(exits))
    found = {}
    for one in exits:
        for part, tensor in exit_layer(supernet.structure, made, one).named_parameters():
            key = f"{exit_key(supernet.names, one)}.{part}"
            found[key] = torch.randn(tensor.shape, generator=generator)
    return found


def with_exits(supernet: Supernet) -> Supernet:
    """Give a supernet an exit at each second point, and one that reads two points."""
    exits = [
        Exit(network, (node.name,))
        for network, graph in enumerate(supernet.graphs)
        for node in graph.points[::2]
    ]
    first, _, _, fourth, *_ = supernet.graphs[0].points
    exits.append(Exit(0, (first.name, fourth.name)))
    supernet.set_exits(exits, random_weights(supernet, exits))
    return supernet


def plainly(supernet: Supernet, one: Exit, inputs: Tensor) -> Tensor:
    """Means and deviations of the exit's points, through its linear map, step by step."""
    values = supernet.networks[one.network].module
    key, weights = exit_key(supernet.names, one), supernet.exit_weights()
    pooled = []
    for point in one.points:
        node = supernet.graphs[one.network].by_name[point]
        features = value_of(values, point, inputs).movedim(node.channels, 1)
        if features.ndim == 2:
            pooled.append(features)
            continue
        pooled.append(features.flatten(2).mean(2))
        if features.flatten(2).shape[2] > 1:
            pooled.append((features.flatten(2).var(2, correction=0) + SMALLEST).sqrt())
    return torch.cat(pooled, 1) @ weights[f"{key}.weight"].T + weights[f"{key}.bias"]


def value_of(module: nn.Module, name: str, inputs: Tensor) -> Tensor:
    """The value of a node of a captured network."""
    found = {}

    class Reader(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> object:
            found[n.name] = super().run_node(n)
            return found[n.name]

    with torch.no_grad():
        Reader(module).run(inputs)
    return found[name]


def exit_outputs(
    supernet: Supernet, inputs: Tensor, exits: Sequence[Exit] | None = None
) -> list[Tensor]:
    """The outputs of exits, by default all, in one pass over the networks."""
    chosen = supernet.exits if exits is None else exits
    if not chosen:
        return []
    with torch.inference_mode():
        return make_interpreter(supernet.exits_graph(chosen), supernet.tensors()).run(
            [aligned(inputs)]
        )

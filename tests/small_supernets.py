"""Small random supernets, and the slow, obvious way to run their subnetworks."""

from typing import Any

import torch
from torch import Tensor, nn

from netstitch.evaluation import NumericsConfig
from netstitch.matching import Match, Matching, match
from netstitch.networks import capture
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Classification, Samples
from netstitch.threads import threads

SIZE, CLASSES = 6, 3


class Small(nn.Module):
    """A stride, two blocks and a head; depthwise filters where it is `separable`."""

    def __init__(self, width: int, channels: int = 2, separable: bool = False, keys: bool = False):
        super().__init__()
        groups = width if separable else 1
        self.stem = nn.Conv2d(channels, width, 3, 2, 1)
        self.first = nn.Conv2d(width, width, 3, 1, 1, groups=groups)
        self.norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width + 1, 1)
        self.squeeze = nn.Linear(width + 1, 5)
        self.head = nn.Linear(5, CLASSES)
        self.aux = nn.Linear(5, CLASSES)
        self.keys = keys

    def forward(self, x: Tensor) -> Tensor | dict[str, Tensor]:
        x = self.stem((x - 0.5) / 0.25).relu()
        x = self.norm(self.first(x)).relu() + x
        x = self.squeeze(self.second(x).relu().mean((2, 3))).relu()
        return {"out": self.head(x), "aux": self.aux(x)} if self.keys else self.head(x)


def models(seed: int = 0, *, channels: int = 2, keys: bool = False) -> list[nn.Module]:
    """Two networks that differ in width and kind."""
    torch.manual_seed(seed)
    made = [Small(3, channels, keys=keys), Small(4, channels, separable=True, keys=keys)]
    for model in made:
        for name, buffer in model.named_buffers():
            if "running" in name:
                buffer.uniform_(0.5, 1.5)
    return made


def as_they_are(supernet: Supernet) -> Supernet:
    """The supernet with its random stitches, to be used as if they had been fitted."""
    supernet.set_stitches(supernet.stitch_weights())
    return supernet


def small_supernet(seed: int = 0, *, channels: int = 2, keys: bool = False) -> Supernet:
    """Two networks, every possible match, random stitches."""
    example = torch.randn(2, channels, SIZE, SIZE)
    names = ("wide", "deep")
    made = models(seed, channels=channels, keys=keys)
    a, b = (capture(model, example, name=name) for model, name in zip(made, names, strict=True))
    return as_they_are(Supernet([a, b], match(a, b, points="all")))


def three_networks() -> Supernet:
    """Three networks, joined in two places, with every subset of them as an output."""
    torch.manual_seed(5)
    example = torch.randn(2, 2, SIZE, SIZE)
    made = [Small(3), Small(4, separable=True), Small(5)]
    captured = [capture(model, example, name=f"net{i}") for i, model in enumerate(made)]
    rows = zip(*([point.name for point in net.graph.points] for net in captured), strict=False)
    by_rank = [row for row in rows if "relu" in row[0]]
    matches = (Match(by_rank[0]), Match((by_rank[-1][0], None, by_rank[-1][2])))
    subsets = [(0, 1), (0,), (1,), (2,), (0, 2), (1, 2), (0, 1, 2)]
    matching = Matching(matches, 2, 2, "by hand")
    return as_they_are(Supernet(captured, matching, outputs=subsets))


def random_samples(
    count: int, seed: int = 0, channels: int = 2, name: str = "validation"
) -> Samples:
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.rand(count, channels, SIZE, SIZE, generator=generator)
    return Samples(inputs, torch.randint(0, CLASSES, (count,), generator=generator), name)


def random_task(count: int = 23, *, channels: int = 2, output: str | None = None) -> Classification:
    return Classification(
        training=random_samples(40, 1, channels, "training"),
        validation=random_samples(count, 2, channels),
        test=random_samples(17, 3, channels, "test"),
        classes=CLASSES,
        output=output,
    )


def plainly(supernet: Supernet, genotype: Any, inputs: Tensor, form: NumericsConfig) -> Any:
    """The subnetwork's outputs, computed as a module, batch after batch, in the given form."""
    module = supernet.subnetwork(genotype)
    for owner in module.modules():
        for name, parameter in owner.named_parameters(recurse=False):
            setattr(owner, name, nn.Parameter(form.arrange(parameter.detach())))
        for name, buffer in owner.named_buffers(recurse=False):
            setattr(owner, name, form.arrange(buffer))
    with torch.inference_mode(), threads(1):
        parts = [module(form.arrange(part)) for part in inputs.split(form.batch)]
    if isinstance(parts[0], Tensor):
        return torch.cat(parts)
    return {key: torch.cat([part[key] for part in parts]) for key in parts[0]}

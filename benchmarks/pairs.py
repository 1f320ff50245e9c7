"""The pairs of trained networks that fitting is measured on, with their samples.

"demo": the embedded ResNet and MobileNet for Fashion-MNIST. "digits": a plain and a densely
connected network for scikit-learn's 8x8 digits, trained here in half a minute (one seed, one
thread, so that they are the same everywhere up to rounding). A part of the digits is shifted by a
pixel each way, since there are only 1,797 of them.
"""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

import netstitch as ns
from netstitch.demo.demo_networks import example
from netstitch.demo.embedded import load_models
from netstitch.demo.embedded import load_task as load_demo_task
from netstitch.experiments import find_experiment, read_experiment
from netstitch.networks import Network
from netstitch.tasks import Classification, Samples
from netstitch.threads import threads

TRAINED, SEARCHED = 400, 500  # of the 1,797 digits; the rest is for testing
EPOCHS, BATCH = 20, 50


FLOOR = 0.8
"""Accuracy from which hypervolumes are counted."""

REFINE = read_experiment(find_experiment("demo")).refine_settings or {}
"""How the demo refines."""


class Plain(nn.Module):
    """Four convolutions in a row; (b, 1, 8, 8) to (b, 10)."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 8, 12, 16, 16)
        self.body = nn.Sequential()
        for index, (n, m) in enumerate(pairwise(widths)):
            self.body.append(nn.Conv2d(n, m, 3, 2 if index == 2 else 1, 1, bias=False))
            self.body.append(nn.BatchNorm2d(m))
            self.body.append(nn.ReLU())
        self.head = nn.Linear(widths[-1], 10)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.body(x).mean((2, 3)))
        return logits


class Dense(nn.Module):
    """Each convolution reads all before it, at two sizes; (b, 1, 8, 8) to (b, 10)."""

    def __init__(self, growth: int = 6) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 16, 3, 1, 1)
        self.first = nn.ModuleList(self._layer(16 + i * growth, growth) for i in range(3))
        self.middle = nn.Sequential(nn.Conv2d(16 + 3 * growth, 24, 1), nn.AvgPool2d(2))
        self.second = nn.ModuleList(self._layer(24 + i * growth, growth) for i in range(3))
        self.norm = nn.BatchNorm2d(24 + 3 * growth)
        self.head = nn.Linear(24 + 3 * growth, 10)

    @staticmethod
    def _layer(inputs: int, growth: int) -> nn.Sequential:
        return nn.Sequential(
            nn.BatchNorm2d(inputs), nn.GELU(), nn.Conv2d(inputs, growth, 3, 1, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for layer in self.first:
            x = torch.cat([x, layer(x)], 1)
        x = self.middle(x)
        for layer in self.second:
            x = torch.cat([x, layer(x)], 1)
        logits: Tensor = self.head(self.norm(x).relu().mean((2, 3)))
        return logits


def load_task(name: str) -> Classification:
    """The samples of the pair called "demo" or "digits"; validation is what a search sees."""
    if name == "demo":
        return load_demo_task()
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    images = torch.tensor(digits.images[order] / 16, dtype=torch.float32)[:, None]
    labels = torch.tensor(digits.target[order], dtype=torch.int64)
    searched = slice(TRAINED, TRAINED + SEARCHED)
    return Classification(
        training=_shifted(Samples(images[:TRAINED], labels[:TRAINED], "training")),
        validation=Samples(images[searched], labels[searched]),
        test=Samples(images[searched.stop :], labels[searched.stop :], "test"),
        classes=10,
    )


def load_supernet() -> ns.Supernet:
    """The demo's networks captured, matched and joined; the stitches are not fitted yet."""
    networks = [ns.capture(model, example(), name=name) for name, model in load_models().items()]
    return ns.Supernet(networks, ns.match(*networks, points="all"))


def load_networks(name: str, task: Classification) -> list[Network]:
    """The two networks of a pair, captured."""
    if name == "demo":
        models = load_models()
    else:
        models = {"plain": Plain(), "dense": Dense()}
        assert task.training is not None
        with threads(1):
            for seed, model in enumerate(models.values()):
                _train(model, task.training, seed)
    example = task.validation.inputs[:2]
    return [ns.capture(model, example, name=key) for key, model in models.items()]


def in_order_of(samples: Samples, seed: int) -> Samples:
    """The samples in a random order, so that fits by different seeds see them differently."""
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed))
    return Samples(samples.inputs[order], samples.labels[order], samples.name)


def _shifted(samples: Samples) -> Samples:
    """The samples, and each shifted by a pixel up, down, left and right."""
    moves = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)]
    inputs = torch.cat([torch.roll(samples.inputs, move, (2, 3)) for move in moves])
    order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0))
    return Samples(inputs[order], samples.labels.repeat(len(moves))[order], samples.name)


def _train(model: nn.Module, samples: Samples, seed: int) -> None:
    """Cross-entropy by AdamW with one cycle of the learning rate, in place."""
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.reset_parameters()
    steps = EPOCHS * (len(samples) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, steps)
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for _ in range(steps):
        chosen = torch.randint(len(samples), (BATCH,), generator=generator)
        loss = nn.functional.cross_entropy(model(samples.inputs[chosen]), samples.labels[chosen])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    model.eval()

"""A plain and a densely connected network for scikit-learn's 8x8 digits, trained in half a minute.

One seed, one thread, so that they are the same everywhere up to rounding. A part of the digits is
shifted by a pixel each way, since there are only 1,797 of them.
"""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from netstitch.tasks import Classification, Samples
from netstitch.threads import threads

TRAINED, SEARCHED = 400, 500  # of the 1,797 digits; the rest is for testing
EPOCHS, BATCH = 20, 50


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


def digits_task() -> Classification:
    """The digits; validation is what a search sees."""
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


def digits_models() -> dict[str, nn.Module]:
    """The two networks, trained."""
    models: dict[str, nn.Module] = {"plain": Plain(), "dense": Dense()}
    training = digits_task().training
    assert training is not None
    with threads(1):
        for seed, model in enumerate(models.values()):
            _train(model, training, seed)
    return models


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

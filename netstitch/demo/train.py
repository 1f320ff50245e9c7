"""Make the demo's weights and data again from the full Fashion-MNIST.

    python -m netstitch.demo.train [--data FOLDER] [--output FOLDER] [--only NETWORK|data]

Needs the four official files (Debian: `apt-get install dataset-fashion-mnist`; torchvision keeps
the same files in FashionMNIST/raw). Takes about five minutes on one core. Each of the networks is
trained on a third of 55,000 images, as networks of different origin are; the other 5,000 are never
seen by any.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from netstitch.demo.demo_networks import DenseNetwork, InvertedNetwork, ResidualNetwork
from netstitch.demo.fashion_mnist import (
    for_stitches,
    read_idx,
    shares,
    split,
    to_images,
    write_idx,
)
from netstitch.threads import threads

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
BATCH, PEAK_RATE, WEIGHT_DECAY = 128, 0.1, 5e-4


@dataclass(frozen=True)
class Recipe:
    """A network and its training.

    Attributes:
        build: Builds the network, untrained.
        epochs: Passes over its share of the images.
        flip: Whether half of the images are mirrored, others in each pass.
    """

    build: Callable[[], nn.Module]
    epochs: int
    flip: bool = False


RECIPES = {
    "inverted": Recipe(InvertedNetwork, 10),
    "dense": Recipe(DenseNetwork, 10),
    "residual": Recipe(ResidualNetwork, 12, flip=True),
}


def mirror_half(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return the images (b, 1, h, w), about half of them mirrored."""
    mirrored = torch.rand((len(images), 1, 1, 1), generator=generator) < 0.5
    return torch.where(mirrored, images.flip(3), images)


def train(name: str, recipe: Recipe, images: Tensor, labels: Tensor, seed: int) -> nn.Module:
    """Return a network trained by SGD with momentum, one cycle of the rate, cross-entropy."""
    torch.manual_seed(seed)
    model = recipe.build().to(memory_format=torch.channels_last).train()
    generator = torch.Generator().manual_seed(seed)
    groups: list[dict[str, object]] = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in model.parameters() if p.ndim <= 1]},
    ]
    optimizer = torch.optim.SGD(groups, lr=PEAK_RATE, momentum=0.9, nesterov=True)
    steps = recipe.epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, steps, pct_start=0.2)
    started = time.perf_counter()
    for epoch in range(recipe.epochs):
        total = 0.0
        order = torch.randperm(len(images), generator=generator)
        for chosen in torch.split(order[: len(order) // BATCH * BATCH], BATCH):
            shown = mirror_half(images[chosen], generator) if recipe.flip else images[chosen]
            loss = nn.functional.cross_entropy(model(shown), labels[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        seconds = time.perf_counter() - started
        loss_now = f"loss {total / len(order):.4f}"
        print(f"{name} epoch {epoch + 1}/{recipe.epochs} {loss_now} {seconds:.0f} s", flush=True)
    return model.to(memory_format=torch.contiguous_format).eval()


@torch.inference_mode()
def probabilities(model: nn.Module, images: Tensor) -> Tensor:
    """Return (n, classes) of images (n, 1, h, w)."""
    return torch.cat([model(batch).softmax(1) for batch in torch.split(images, 500)])


def accuracies(found: Mapping[str, Tensor], labels: Tensor) -> Iterator[tuple[str, float]]:
    """Yield the accuracy of each network, and of the ensemble of each two and more of them.

    Args:
        found: Probabilities (n, classes) by network.
        labels: (n,).
    """
    for size in range(1, len(found) + 1):
        for names in combinations(found, size):
            mean = torch.stack([found[name] for name in names]).mean(0)
            yield " + ".join(names), (mean.argmax(1) == labels).double().mean().item()


def read_all(folder: Path) -> dict[str, NDArray[np.uint8]]:
    """Return the four official arrays by name, from gzip files or unpacked ones."""
    arrays = {}
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            plain = folder / f"{part}-{kind}-ubyte"
            packed = plain.with_name(plain.name + ".gz")
            source = packed if packed.exists() else plain
            if not source.exists():
                raise SystemExit(
                    f"{packed} is missing: install Debian's dataset-fashion-mnist, "
                    "or give --data the folder of the four official files"
                )
            arrays[f"{part}-{kind}"] = read_idx(source)
    return arrays


def write_data(arrays: dict[str, NDArray[np.uint8]], output: Path) -> None:
    """Write the images that the wheel ships: for stitches, all held-out and all test images."""
    pixels, labels = arrays["train-images-idx3"], arrays["train-labels-idx1"]
    stitching, (_, held_out) = for_stitches(labels), split(labels)
    parts = {
        "stitching": (pixels[stitching], labels[stitching]),
        "held-out": (pixels[held_out], labels[held_out]),
        "test": (arrays["t10k-images-idx3"], arrays["t10k-labels-idx1"]),
    }
    for name, (images, classes) in parts.items():
        write_idx(output / f"{name}-images.idx.xz", images)
        write_idx(output / f"{name}-labels.idx.xz", classes)


def main() -> None:
    """Make what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=DEBIAN)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "data")
    parser.add_argument("--only", choices=[*RECIPES, "data"])
    options = parser.parse_args()
    arrays = read_all(options.data)
    options.output.mkdir(parents=True, exist_ok=True)
    if options.only in (None, "data"):
        write_data(arrays, options.output)
    images = torch.from_numpy(to_images(arrays["train-images-idx3"]))
    labels = torch.from_numpy(arrays["train-labels-idx1"].astype(np.int64))
    parts = shares(arrays["train-labels-idx1"], len(RECIPES))
    models = {}
    for seed, ((name, recipe), part) in enumerate(zip(RECIPES.items(), parts, strict=True)):
        if options.only in (None, name):
            with threads(1):  # sums over several threads would round as these are many
                models[name] = train(name, recipe, images[part], labels[part], seed)
            save_file(models[name].state_dict(), options.output / f"{name}.safetensors")
    _, held_out = split(arrays["train-labels-idx1"])
    test = torch.from_numpy(to_images(arrays["t10k-images-idx3"]))
    test_labels = torch.from_numpy(arrays["t10k-labels-idx1"].astype(np.int64))
    for title, inputs, classes in (
        ("held-out", images[held_out], labels[held_out]),
        ("test", test, test_labels),
    ):
        found = {name: probabilities(model, inputs) for name, model in models.items()}
        for names, accuracy in accuracies(found, classes):
            print(f"{title} {names} {accuracy:.4f}")


if __name__ == "__main__":
    main()

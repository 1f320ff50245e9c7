"""Make the demo's weights and data again from the full Fashion-MNIST.

    python -m netstitch.demo.train [--data FOLDER] [--output FOLDER] [--only resnet|mobilenet|data]

Needs the four official files (Debian: `apt-get install dataset-fashion-mnist`; torchvision keeps
the same files in FashionMNIST/raw). Takes about half an hour on two cores. Each network is
trained on 55,000 images; the other 5,000 are never seen by it.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from netstitch.demo.demo_networks import mobilenet, resnet
from netstitch.demo.fashion_mnist import read_idx, split, stratified, to_images, write_idx

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
MODELS: dict[str, Callable[[], nn.Module]] = {"resnet": resnet, "mobilenet": mobilenet}
EPOCHS = {"resnet": 20, "mobilenet": 24}
STITCHING, SEARCHING = 4_096, 2_048  # images shipped for fitting stitches and for the search
BATCH, PEAK_RATE, WEIGHT_DECAY = 128, 0.1, 5e-4


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Shift every image by up to two pixels and mirror half of them; (b, 1, 28, 28) stays."""
    count, _, height, width = images.shape
    padded = nn.functional.pad(images, (2, 2, 2, 2))
    top = torch.randint(0, 5, (count, 1, 1), generator=generator)
    left = torch.randint(0, 5, (count, 1, 1), generator=generator)
    mirror = torch.rand((count, 1, 1), generator=generator) < 0.5
    columns = torch.arange(width)[None, None, :]
    columns = torch.where(mirror, width - 1 - columns, columns) + left
    rows = torch.arange(height)[None, :, None] + top
    which = torch.arange(count)[:, None, None]
    return padded[which, 0, rows, columns][:, None]


def train(
    model: nn.Module, images: Tensor, labels: Tensor, epochs: int, seed: int, label: str
) -> None:
    """Train `model` in place: SGD with momentum, one cycle of the learning rate, cross-entropy."""
    generator = torch.Generator().manual_seed(seed)
    model.to(memory_format=torch.channels_last).train()
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": WEIGHT_DECAY},
        {"params": plain},
    ]
    optimizer = torch.optim.SGD(groups, lr=PEAK_RATE, momentum=0.9, nesterov=True)
    steps = epochs * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, steps, pct_start=0.2)
    started = time.perf_counter()
    for epoch in range(epochs):
        total = 0.0
        order = torch.randperm(len(images), generator=generator)
        for chosen in torch.split(order[: len(order) // BATCH * BATCH], BATCH):
            loss = nn.functional.cross_entropy(
                model(augment(images[chosen], generator)), labels[chosen]
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        seconds = time.perf_counter() - started
        print(f"{label} epoch {epoch + 1}/{epochs} loss {total / len(order):.4f} {seconds:.0f} s")
    model.to(memory_format=torch.contiguous_format).eval()


@torch.inference_mode()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the share of images whose highest output is the label."""
    outputs = torch.cat([model(batch) for batch in torch.split(images, 500)])
    return (outputs.argmax(1) == labels).double().mean().item()


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
    """Write the images that the wheel ships: all test images and stratified training parts."""
    pixels, labels = arrays["train-images-idx3"], arrays["train-labels-idx1"]
    seen, held_out = split(labels)
    stitching = seen[stratified(labels[seen], STITCHING, seed=1)]
    searching = held_out[stratified(labels[held_out], SEARCHING, seed=2)]
    parts = {
        "stitching": (pixels[stitching], labels[stitching]),
        "validation": (pixels[searching], labels[searching]),
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
    parser.add_argument("--only", choices=[*MODELS, "data"])
    options = parser.parse_args()
    arrays = read_all(options.data)
    options.output.mkdir(parents=True, exist_ok=True)
    if options.only in (None, "data"):
        write_data(arrays, options.output)
    images = torch.from_numpy(to_images(arrays["train-images-idx3"]))
    labels = torch.from_numpy(arrays["train-labels-idx1"].astype(np.int64))
    seen, held_out = split(arrays["train-labels-idx1"])
    test = torch.from_numpy(to_images(arrays["t10k-images-idx3"]))
    test_labels = torch.from_numpy(arrays["t10k-labels-idx1"].astype(np.int64))
    for seed, (name, build) in enumerate(MODELS.items()):
        if options.only not in (None, name):
            continue
        torch.manual_seed(seed)
        model = build()
        train(model, images[seen], labels[seen], EPOCHS[name], seed, name)
        save_file(model.state_dict(), options.output / f"{name}.safetensors")
        print(f"{name} validation {accuracy(model, images[held_out], labels[held_out]):.4f}")
        print(f"{name} test {accuracy(model, test, test_labels):.4f}")


if __name__ == "__main__":
    main()

"""Draw the images and train the two networks, in about a minute.

    python make_data.py

Writes train.npz, val.npz and test.npz (noisy images of eight shapes, as bytes) and the weights
resnet.safetensors and mobilenet.safetensors beside this file. You will have both already: then
all you need is a file like experiment.toml.
"""

import time
from pathlib import Path

import numpy as np
import torch
from models import CLASSES, mobilenet, resnet
from safetensors.torch import save_file
from torch import nn

HERE = Path(__file__).parent
EDGE = 32
SIZES = {"train": 5_000, "val": 1_500, "test": 1_500}
EPOCHS = 8


def draw(count, seed):
    """(count, 32, 32) bytes and (count,) class numbers."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, CLASSES, count)
    rows, columns = np.mgrid[:EDGE, :EDGE].astype(np.float32)

    def each(low, high):
        return generator.uniform(low, high, (count, 1, 1)).astype(np.float32)

    # Every shape has a place, a size, an angle and a slant of its own.
    y, x, turn = rows - each(11, 21), columns - each(11, 21), each(0, 2 * np.pi)
    u = (np.cos(turn) * x + np.sin(turn) * y) / each(5, 10)
    v = (np.cos(turn) * y - np.sin(turn) * x) / each(5, 10)
    radius, angle = np.hypot(u, v), np.arctan2(v, u)
    largest, smallest = np.maximum(abs(u), abs(v)), np.minimum(abs(u), abs(v))
    shapes = [
        radius < 1,  # disc
        (radius < 1) & (radius > 0.55),  # ring
        largest < 0.9,  # square
        (largest < 0.9) & (largest > 0.5),  # frame
        (v > -0.6) & (v < 1 - 1.9 * abs(u)),  # triangle
        (largest < 1) & (smallest < 0.3),  # cross
        radius < 0.65 + 0.35 * np.cos(5 * angle),  # star
        (radius < 1) & ((u > 0.25) | (u < -0.25)),  # disc with a gap
    ]
    ink = np.select([labels[:, None, None] == c for c in range(CLASSES)], shapes, False)
    contrast, shade = each(0.25, 0.6), each(0.1, 0.4)
    noise = generator.normal(0, 0.14, ink.shape)
    images = np.clip(shade + contrast * ink + noise, 0, 1)
    return (255 * images).astype(np.uint8), labels


def as_inputs(images):
    return torch.from_numpy(images)[:, None].float() / 255


def train(model, images, labels, seed):
    torch.manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    steps = EPOCHS * (len(images) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, steps)
    model.train()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(images))[: len(images) // 64 * 64].split(64):
            loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()


def main():
    torch.set_num_threads(1)  # such small networks gain nothing from more
    parts = {name: draw(size, seed) for seed, (name, size) in enumerate(SIZES.items())}
    for name, (images, labels) in parts.items():
        np.savez_compressed(HERE / f"{name}.npz", inputs=images, labels=labels)
    inputs, labels = as_inputs(parts["train"][0]), torch.from_numpy(parts["train"][1])
    unseen, answers = as_inputs(parts["test"][0]), torch.from_numpy(parts["test"][1])
    outputs = []
    for seed, build in enumerate((resnet, mobilenet)):
        started = time.perf_counter()
        torch.manual_seed(seed)
        model = build()
        train(model, inputs, labels, seed)
        save_file(model.state_dict(), HERE / f"{build.__name__}.safetensors")
        with torch.no_grad():
            outputs.append(model(unseen))
        report(build.__name__, outputs[-1], answers)
        print(f"trained in {time.perf_counter() - started:.0f} s")
    report("ensemble", sum(outputs), answers)


def report(name, outputs, answers):
    accuracy = (outputs.argmax(1) == answers).double().mean().item()
    print(f"{name}: {accuracy:.1%} of the test images")


if __name__ == "__main__":
    main()

"""A shallow and a deep residual network of one family, each trained on a third of the images.

    python benchmarks/family.py [--data FOLDER]

trains them anew, in five minutes on one core, and writes their weights into benchmarks/weights; see
netstitch/demo/train.py for the data. They have one and three blocks at each size, 16, 32 and 64
channels wide, so that they cost 2.6 and 8.5 million multiply-adds.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
import torch
from old_demo import WEIGHTS, trained
from safetensors.torch import save_file
from torch import nn

from netstitch.demo.demo_networks import ResidualNetwork
from netstitch.demo.fashion_mnist import shares, split, to_images
from netstitch.demo.train import DEBIAN, Recipe, accuracies, probabilities, read_all, train
from netstitch.threads import threads

WIDTHS = (16, 32, 64)
RECIPES = {
    "shallow": Recipe(partial(ResidualNetwork, WIDTHS, 1), 10),
    "deep": Recipe(partial(ResidualNetwork, WIDTHS, 3), 10),
}


def family_models() -> dict[str, nn.Module]:
    """The two networks, trained."""
    return trained({name: recipe.build() for name, recipe in RECIPES.items()})


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a shallow and a deep residual network")
    parser.add_argument("--data", type=Path, default=DEBIAN)
    arrays = read_all(parser.parse_args().data)
    images = torch.from_numpy(to_images(arrays["train-images-idx3"]))
    labels = torch.from_numpy(arrays["train-labels-idx1"].astype(np.int64))
    parts = shares(arrays["train-labels-idx1"], 3)
    found = {}
    _, held_out = split(arrays["train-labels-idx1"])
    for seed, (name, recipe) in enumerate(RECIPES.items()):
        with threads(1):
            model = train(name, recipe, images[parts[seed]], labels[parts[seed]], seed)
        save_file(model.state_dict(), WEIGHTS / f"{name}.safetensors")
        found[name] = probabilities(model, images[held_out])
    for names, accuracy in accuracies(found, labels[held_out]):
        print(f"held-out {names} {accuracy:.4f}")


if __name__ == "__main__":
    main()

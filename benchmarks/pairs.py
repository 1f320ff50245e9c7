"""The pairs of trained networks that benchmarks measure, with their samples.

"demo": those that `netstitch demo` joins. "inverted+dense", "dense+residual": the other two of the
embedded three. "old-demo": a ResNet and a MobileNet-like network that were trained on all of the
images, as the demo's were in versions 0.x, with the images that it had. "family": a shallow and a
deep residual network. "digits": a plain and a densely connected network for scikit-learn's digits,
trained here in half a minute. No network was trained on validation or test samples.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from digits import digits_models, digits_task
from family import family_models
from old_demo import old_models
from torch import nn

import netstitch as ns
from netstitch.demo import embedded
from netstitch.demo.fashion_mnist import stratified
from netstitch.experiments import find_experiment, read_experiment
from netstitch.networks import Network
from netstitch.tasks import Classification, Samples, from_arrays

FLOOR = 0.8
"""Accuracy from which hypervolumes are counted."""

REFINE = read_experiment(find_experiment("demo")).refine.model_dump(exclude={"enabled"})
"""The settings with which the demo refines."""

OLD_VALIDATION = 2_048  # images that the search of the old demo saw, of the held-out ones


@dataclass(frozen=True)
class Pair:
    """Two trained networks by name, their samples, and how their stitches are refined."""

    models: Callable[[], dict[str, nn.Module]]
    task: Callable[[], Classification]
    refine: dict[str, Any] = field(default_factory=dict)


def _old_task() -> Classification:
    images, labels = embedded.held_out()
    chosen = stratified(labels, OLD_VALIDATION, seed=2)
    validation = from_arrays(images[chosen], labels[chosen], name="validation")
    return replace(embedded.load_task(), validation=validation)


PAIRS = {
    "demo": Pair(embedded.load_models, embedded.load_task, REFINE),
    "inverted+dense": Pair(
        partial(embedded.load_models, ("inverted", "dense")), embedded.load_task, REFINE
    ),
    "dense+residual": Pair(
        partial(embedded.load_models, ("dense", "residual")), embedded.load_task, REFINE
    ),
    "old-demo": Pair(old_models, _old_task, REFINE),
    "family": Pair(family_models, embedded.load_task, REFINE),
    "digits": Pair(digits_models, digits_task),
}


def load_task(name: str) -> Classification:
    """The samples of a pair; validation is what a search sees."""
    return PAIRS[name].task()


def load_networks(name: str, task: Classification) -> list[Network]:
    """The two networks of a pair, captured."""
    example = task.validation.inputs[:2]
    return [ns.capture(model, example, name=key) for key, model in PAIRS[name].models().items()]


def load_supernet(name: str) -> ns.Supernet:
    """A pair captured, matched at all points and joined; the stitches are not fitted yet."""
    networks = load_networks(name, load_task(name))
    return ns.Supernet(networks, ns.match(*networks, points="all"))


def in_order_of(samples: Samples, seed: int) -> Samples:
    """The samples in a random order, so that fits by different seeds see them differently."""
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(seed))
    return Samples(samples.inputs[order], samples.labels[order], samples.name)

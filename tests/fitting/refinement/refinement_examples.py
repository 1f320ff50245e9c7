"""Small supernets to refine; their networks are captured once, their stitches are always new."""

from collections.abc import Callable
from functools import lru_cache

import pytest
import torch
from small_supernets import SIZE, random_samples, small_supernet, three_networks
from torch import Tensor, nn
from torch.nn import functional

from netstitch.fitting.refinement import refining, stitch_selection
from netstitch.fitting.refinement.branch_subnetworks import BranchSubnetworks
from netstitch.fitting.refinement.refine_images import read_parts
from netstitch.fitting.refinement.refine_settings import RefineSettings
from netstitch.fitting.refinement.refine_training import Training
from netstitch.fitting.refinement.views import AS_THEY_ARE, Views
from netstitch.matching import Match, Matching, match
from netstitch.networks import capture
from netstitch.supernet.supernet import Supernet

Pairs = list[tuple[Tensor, Tensor]]


class StoppedError(Exception):
    """Like Ctrl-C, from a progress function."""


class Mapped(nn.Module):
    """Images (b, 2, 6, 6) to maps of `classes` (b, classes, 6, 6); the head's are enlarged."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, width, 3, 2, 1)
        self.block = nn.Conv2d(width, width, 3, 1, 1)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.head(self.block(self.stem(x).relu()).relu())
        return functional.interpolate(x, size=(SIZE, SIZE), mode="bilinear")


@lru_cache
def _of_classes(keys: bool) -> Supernet:
    return small_supernet(keys=keys)


@lru_cache
def _of_three() -> Supernet:
    return three_networks()


@lru_cache
def _of_maps(classes: int) -> Supernet:
    torch.manual_seed(3)
    example = torch.randn(2, 2, SIZE, SIZE)
    a, b = (capture(Mapped(w, classes), example, name=f"maps{w}") for w in (3, 4))
    return Supernet([a, b], match(a, b, points="all"))


def _anew(supernet: Supernet, seed: int, matching: Matching | None = None) -> Supernet:
    """A supernet of the same networks with random stitches."""
    torch.manual_seed(seed)
    outputs = supernet.board.outputs
    return Supernet(list(supernet.networks), matching or supernet.matching, outputs=outputs)  # type: ignore[arg-type]


def unfitted(seed: int = 0, *, every: int = 3, keys: bool = False) -> Supernet:
    """Two networks, stitched at every so-many-th of all places."""
    whole = _of_classes(keys)
    return _anew(whole, seed, thinned(whole.matching, every))


def thinned(matching: Matching, every: int) -> Matching:
    matches: tuple[Match, ...] = matching.matches[::every]
    return Matching(matches, len(matches), len(matches), "by hand")


def three(seed: int = 0) -> Supernet:
    return _anew(_of_three(), seed)


def maps(seed: int = 0, classes: int = 3) -> Supernet:
    """Two networks that give a class, or one number, per pixel."""
    return _anew(_of_maps(classes), seed)


def batches(count: int = 96, seed: int = 0) -> Pairs:
    samples = random_samples(count, seed=seed)
    return list(zip(samples.inputs.split(16), samples.labels.split(16), strict=True))


def images(count: int = 16, seed: int = 0) -> Tensor:
    return random_samples(count, seed=seed).inputs


@lru_cache
def _fitted(every: int, keys: bool) -> Supernet:
    supernet = unfitted(every=every, keys=keys)
    supernet.fit(batches())
    return supernet


def fitted(*, every: int = 3, keys: bool = False) -> Supernet:
    """As `unfitted`, after the first stage; fitted once, so that each is a copy of its own."""
    supernet = unfitted(every=every, keys=keys)
    supernet.set_stitches(_fitted(every, keys).stitch_weights())
    return supernet


def weights(supernet: Supernet) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in supernet.stitch_weights().items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    assert one.keys() == other.keys()
    return all(torch.equal(one[key], other[key]) for key in one)


def stop_at(step: int, error: type[BaseException] = StoppedError) -> Callable[..., None]:
    """A progress function that raises after so many steps."""

    def progress(done: int, total: int | None, text: str) -> None:
        if done == step:
            raise error

    return progress


def judge_little(patch: pytest.MonkeyPatch) -> None:
    """Few subnetworks and batches to judge by, so that each refining is quick."""
    patch.setattr(refining, "PANEL", 4)
    patch.setattr(refining, "CURVE_BRANCHES", 2)
    patch.setattr(stitch_selection, "JUDGED_BATCHES", 6)


def training(
    supernet: Supernet,
    *,
    learning_rate: float = 1e-2,
    seed: int = 0,
    subnetworks: int = 3,
    steps: int | None = None,
    seconds: float | None = None,
    views: Views = AS_THEY_ARE,
) -> Training:
    """Make the training that `refine` makes, to do single steps with."""
    settings = RefineSettings(
        steps=steps,
        seconds=seconds,
        batch_size=8,
        subnetworks=subnetworks,
        learning_rate=learning_rate,
        memory_budget=10**9,
        seed=seed,
        views=views,
    )
    parts = read_parts(batches(), holdout=0.125, memory_budget=10**9, labels=False)
    return Training(BranchSubnetworks(supernet, settings), parts)

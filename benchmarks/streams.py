"""Genotypes in the order in which searches propose them, for benchmarks of their evaluation.

Repeats, and genotypes of a signature that was there before, are part of a stream, for what a
signature saves is to be seen. With each goes its floor: the accuracy up to which the search would
not have cared for its value. Two supernets:

- demo: the pair "old-demo", fitted; recorded with accuracies on few images.
- imagenet: timm's EfficientNet-Lite 0 and 1 at 224 pixels, with random weights, since no ImageNet
  image is at hand. Accuracies are a seeded function (`Invented`) that rewards depth and punishes
  stitches, the more the less alike what they join is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pairs import load_supernet, load_task

import netstitch as ns
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.networks.sources.model_sources import load_model
from netstitch.optimization import (
    Initialisation,
    Objective,
    Problem,
    RejectionRule,
    SearchSettings,
    SerialExecutor,
    run_search,
)

IMAGES_TO_RECORD = 128
POPULATION = 64
IMAGENET = ("tf_efficientnet_lite0", "tf_efficientnet_lite1")
PIXELS = 224

Genotypes = list[np.ndarray]
Floors = list[float | None]
Evaluate = Callable[[np.ndarray], tuple[float, float]]


@dataclass(frozen=True)
class Stream:
    """The stream: a supernet, an algorithm, and how many evaluations may be under way."""

    supernet: str
    algorithm: str
    capacity: int

    def __str__(self) -> str:
        return f"{self.supernet} {self.algorithm}, {self.capacity} in flight"


def demo_supernet() -> ns.Supernet:
    """The old demo's supernet, its stitches fitted."""
    task = load_task("old-demo")
    assert task.training is not None
    supernet = load_supernet("old-demo")
    supernet.fit(task.training.batches(64))
    return supernet


def imagenet_supernet() -> ns.Supernet:
    """Two EfficientNet-Lite at ImageNet size; weights are random."""
    torch.manual_seed(0)
    example = torch.randn(2, 3, PIXELS, PIXELS)
    names = [name.removeprefix("tf_") for name in IMAGENET]
    networks = [
        ns.capture(load_model(f"timm:{name}"), example, name=short)
        for name, short in zip(IMAGENET, names, strict=True)
    ]
    supernet = ns.Supernet(networks, ns.match(*networks, points="all"))
    supernet.set_stitches(supernet.stitch_weights())  # random ones cost what fitted ones do
    return supernet


def demo_objectives(supernet: ns.Supernet) -> Evaluate:
    task = load_task("old-demo")
    few = task.validation.first(IMAGES_TO_RECORD)
    evaluator = Evaluator(
        supernet, task, few, NumericsConfig(channels_last=True, batch=128, workers=1)
    )

    def evaluate(genotype: np.ndarray) -> tuple[float, float]:
        return evaluator(genotype)

    return evaluate


class Invented:
    """Objectives without images: accuracies that behave like those of stitched networks.

    Work earns, with diminishing returns; each stitch in use costs some of it, drawn once for each
    stitch; an ensemble gains over the mean of its members.
    """

    def __init__(self, supernet: ns.Supernet, seed: int = 0) -> None:
        self.supernet = supernet
        self.errors = np.random.default_rng(seed).exponential(0.01, len(supernet.switches))
        self.most = supernet.macs(supernet.genotype("ensemble"))

    def __call__(self, genotype: np.ndarray) -> tuple[float, float]:
        active = self.supernet.active(genotype)[:-1] & (genotype[:-1] > 0)
        cost = self.supernet.macs(genotype)
        score = 0.78 + 0.02 * np.log2(cost / self.most) - self.errors[active].sum()
        return float(np.round(max(0.001, score), 3)), float(cost)


class Noting(SerialExecutor):
    """Remembers the floors that it was given, by signature."""

    def __init__(self, supernet: ns.Supernet, evaluate: Evaluate, capacity: int) -> None:
        super().__init__(evaluate, capacity)
        self._digest = supernet.wiring.digest
        self.floors: dict[bytes, float | None] = {}

    def submit(self, ticket: int, genotype: np.ndarray, threshold: float | None = None) -> None:
        self.floors[self._digest(genotype)] = threshold
        super().submit(ticket, genotype)


def record(
    supernet: ns.Supernet, evaluate: Evaluate, stream: Stream, count: int
) -> tuple[Genotypes, Floors]:
    """Genotypes as an algorithm proposes them, from the reference networks on, and their floors."""
    proposed: Genotypes = []
    executor = Noting(supernet, evaluate, stream.capacity)

    def signature(genotype: np.ndarray) -> bytes:
        proposed.append(genotype.copy())  # the search asks once for each proposal
        return supernet.wiring.digest(genotype)

    run_search(
        Problem(
            supernet.cardinalities,
            (Objective("accuracy", maximise=True), Objective("multiply_adds")),
            signature=signature,
            active=supernet.wiring.active,
        ),
        executor,
        SearchSettings(
            evaluations=count, count_skipped=True, algorithm=stream.algorithm, population=POPULATION
        ),
        seed=1,
        initial=list(supernet.references().values()),
        initialisation=Initialisation(uniform=(-1,)),
        rejection=RejectionRule("accuracy", lambda genotype: (1.0, float(supernet.macs(genotype)))),
    )
    digests = [supernet.wiring.digest(genotype) for genotype in proposed]
    return proposed, [executor.floors.get(digest) for digest in digests]


def load_streams(
    file: Path, streams: list[Stream], supernet: ns.Supernet, count: int
) -> dict[Stream, tuple[Genotypes, Floors]]:
    """Streams of one supernet as they were recorded; those not in the file are added to it."""
    kept: dict[str, Any] = {}
    if file.exists():
        with np.load(file, allow_pickle=False) as archive:
            kept = dict(archive)
    evaluate: Evaluate | None = None
    for stream in streams:
        if len(kept.get(str(stream), ())) != count:
            evaluate = evaluate or (
                demo_objectives(supernet) if stream.supernet == "demo" else Invented(supernet)
            )
            genotypes, floors = record(supernet, evaluate, stream, count)
            kept[str(stream)] = np.array(genotypes, dtype=np.int8)
            kept[f"{stream}, floors"] = np.array(floors, dtype=np.float64)  # None as NaN
            np.savez_compressed(file, **kept)
    return {
        stream: (
            list(kept[str(stream)].astype(np.int64)),
            [None if np.isnan(one) else float(one) for one in kept[f"{stream}, floors"]],
        )
        for stream in streams
    }

"""The steps of refining: draw subnetworks, compare them with their teachers, move the stitches."""

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from netstitch.fitting.refinement.branches import Branch, Branches
from netstitch.fitting.refinement.coordinates import Coordinates
from netstitch.fitting.refinement.draws import Draws, Gains
from netstitch.fitting.refinement.examples import Examples, Parts
from netstitch.fitting.refinement.gradients import Gradients, Passed, Weights, add, gradients_of
from netstitch.fitting.refinement.joined import Joined

SIDES = 2
"""Batches of a step, each with subnetworks of its own; they run side by side where cores allow.
A fixed number, so that results do not depend on the machine."""


@dataclass(frozen=True)
class Divergence:
    """A stitch that was put back and left alone from a step on, since values were not finite."""

    step: int
    stitch: int


class Training:
    """The state of refining a supernet's stitches.

    first: weight and bias of every stitch after the first stage. weights: the same as leaves that
    `branches` reads; a step changes them in place. batch: images of a batch. subnetworks: drawn
    for each batch. memory_budget: bytes that the activations of a step may take, about.
    """

    def __init__(
        self,
        joined: Joined,
        branches: Branches,
        weights: Weights,
        coordinates: Sequence[Coordinates],
        parts: Parts,
        *,
        batch: int,
        subnetworks: int,
        learning_rate: float,
        memory_budget: int,
        seed: int,
    ) -> None:
        self.branches, self.weights, self.coordinates = branches, weights, coordinates
        self.first = [(w.detach().clone(), b.detach().clone()) for w, b in weights]
        self.parts, self.batch, self.subnetworks = parts, batch, subnetworks
        self.learning_rate, self.memory_budget, self.seed = learning_rate, memory_budget, seed
        self.gains = Gains(len(joined.stitches))
        self.draws = Draws(joined, self.gains)
        self.generator = np.random.default_rng(seed)
        self.step = 0
        self.diverged: list[Divergence] = []
        self.inner = [
            tuple(
                tensor.requires_grad_(True)
                for tensor in frame.inner(w.detach().flatten(1), b.detach())
            )
            for frame, (w, b) in zip(coordinates, self.first, strict=True)
        ]
        flat = [tensor for pair in self.inner for tensor in pair]
        self.optimizer = torch.optim.Adam(flat, lr=learning_rate)
        self._singles: dict[int, Branch] = {}

    def advance(self, fraction: float, pool: Executor) -> float:
        """One step; the mean loss of its subnetworks before it, NaN where none was finite.

        fraction: how much of the training is done, in [0, 1]; the learning rate falls along a
        cosine. Raises LookupError when no stitch is left to train.
        """
        drawn = [self._draw(fraction) for _ in range(SIDES)]
        position = self.step * SIDES * self.batch
        batches = [
            self.parts.draw(self.batch, position + side * self.batch, self.seed)
            for side in range(SIDES)
        ]
        largest = max(branch.image_bytes for side in drawn for branch, _ in side)
        micro = max(1, min(self.batch, self.memory_budget // max(1, SIDES * largest)))

        def run(side: int) -> Passed:
            chosen = [branch for branch, _ in drawn[side]]
            return gradients_of(self.branches, chosen, self.weights, batches[side], micro=micro)

        passed = list(pool.map(run, range(SIDES)))
        self.step += 1
        total: Gradients = {}
        losses: list[float] = []
        for side, result, examples in zip(drawn, passed, batches, strict=True):
            for (branch, alone), loss in zip(side, result.losses, strict=True):
                if not math.isfinite(loss):
                    self._restore(branch, examples, total)
                    continue
                losses.append(loss)
                if alone is not None:
                    self.gains.note(alone, loss)
            for stitch, gradient in result.gradients.items():
                add(total, stitch, gradient)
        for stitch in self.gains.closed:
            total.pop(stitch, None)
        self._move(total, fraction)
        return sum(losses) / len(losses) if losses else math.nan

    def _draw(self, fraction: float) -> list[tuple[Branch, int | None]]:
        drawn = []
        for _ in range(self.subnetworks):
            genotype, alone = self.draws.draw(self.generator, fraction)
            branch = self.single(alone) if alone is not None else self.branches.branch(genotype)
            drawn.append((branch, alone))
        return drawn

    def single(self, stitch: int) -> Branch:
        """The branch in which a stitch stands alone; kept, since it comes again and again."""
        if stitch not in self._singles:
            genotype = self.draws.singles[stitch]
            assert genotype is not None
            self._singles[stitch] = self.branches.branch(genotype)
        return self._singles[stitch]

    def _move(self, gradients: Gradients, fraction: float) -> None:
        """One step of Adam for the stitches that have gradients; the others stay."""
        self.optimizer.zero_grad(set_to_none=True)
        for stitch, (weight, bias) in gradients.items():
            found = self.coordinates[stitch].gradients(weight, bias)
            for tensor, gradient in zip(self.inner[stitch], found, strict=True):
                tensor.grad = gradient
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, fraction)))
        self.optimizer.step()
        for stitch in sorted(gradients):
            self.write(stitch)

    def write(self, stitch: int) -> None:
        """Bring a stitch's weights up to what was learned."""
        with torch.no_grad():
            inner, offset = self.inner[stitch]
            self.put(stitch, self.coordinates[stitch].weights(inner, offset))

    def put(self, stitch: int, values: tuple[Tensor, Tensor]) -> None:
        """Give a stitch other weights to run with."""
        with torch.no_grad():
            weight, bias = self.weights[stitch]
            weight.copy_(values[0].reshape(weight.shape))
            bias.copy_(values[1])

    def _restore(self, branch: Branch, examples: Examples, total: Gradients) -> None:
        """Put back the stitches behind a loss that is not finite, and leave them alone.

        Those which alone give such a loss; all of the subnetwork, where none does.
        """
        trained = [stitch for stitch in branch.stitches if stitch not in self.gains.closed]
        guilty = (
            [
                stitch
                for stitch in trained
                if not math.isfinite(
                    gradients_of(
                        self.branches,
                        [self.single(stitch)],
                        self.weights,
                        examples,
                        micro=len(examples),
                    ).losses[0]
                )
            ]
            if all(self.draws.singles[stitch] is not None for stitch in trained)
            else []
        )
        for stitch in guilty or trained:
            self.gains.close(stitch)
            self.put(stitch, self.first[stitch])
            frame = self.coordinates[stitch]
            weight, bias = self.first[stitch]
            with torch.no_grad():
                for tensor, value in zip(
                    self.inner[stitch], frame.inner(weight.flatten(1), bias), strict=True
                ):
                    tensor.copy_(value)
            self.diverged.append(Divergence(self.step, stitch))
            total.pop(stitch, None)

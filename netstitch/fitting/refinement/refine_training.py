"""The steps of refining: draw subnetworks, compare them with their teachers, move the stitches."""

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from netstitch.fitting.refinement.branch_subnetworks import BranchSubnetwork, BranchSubnetworks
from netstitch.fitting.refinement.custom_gradient import (
    Gradients,
    PassedGradient,
    Weights,
    add,
    gradients_of,
)
from netstitch.fitting.refinement.preconditioner import Preconditioner
from netstitch.fitting.refinement.refine_images import Examples, ImageParts
from netstitch.fitting.refinement.sampler import Gains, SubnetworkSampler
from netstitch.fitting.refinement.union_graph import UnionGraph

SIDES = 2
"""Batches of a step, each with subnetworks of its own; they run side by side where cores allow.
A fixed number, so that results do not depend on the machine."""

STRIKES = 3
"""Subnetworks without a finite loss that a stitch may be in, where no stitch alone is to blame."""

Drawn = tuple[BranchSubnetwork, int | None]
"""A subnetwork, and its stitch where it has a single one."""


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
    whole: whether no step is half done, as when Ctrl-C comes while the stitches move.
    """

    def __init__(
        self,
        joined: UnionGraph,
        branches: BranchSubnetworks,
        weights: Weights,
        coordinates: Sequence[Preconditioner],
        parts: ImageParts,
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
        self.draws = SubnetworkSampler(joined, self.gains)
        self.generator = np.random.default_rng(seed)
        self.step = 0
        self.whole = True
        self.diverged: list[Divergence] = []
        self.strikes: dict[int, int] = {}
        self.inner = [
            tuple(
                tensor.requires_grad_(True)
                for tensor in frame.inner(w.detach().flatten(1), b.detach())
            )
            for frame, (w, b) in zip(coordinates, self.first, strict=True)
        ]
        flat = [tensor for pair in self.inner for tensor in pair]
        self.optimizer = torch.optim.Adam(flat, lr=learning_rate)
        self._singles: dict[int, BranchSubnetwork] = {}

    def advance(self, fraction: float, pool: Executor) -> float:
        """One step; the mean loss of its subnetworks before it, NaN where none was finite.

        fraction: how much of the training is done, in [0, 1]; the learning rate falls along a
        cosine. Raises LookupError when no stitch is left to train.
        """
        begin = self.generator.bit_generator.state
        try:
            drawn = [self._draw(fraction) for _ in range(SIDES)]
            batches = self._batches()

            def run(side: int) -> PassedGradient:
                chosen = [branch for branch, _ in drawn[side]]
                return self._gradients(chosen, batches[side])

            passed = list(pool.map(run, range(SIDES)))
        except BaseException:
            self.generator.bit_generator.state = begin  # as if the step had not begun
            raise
        self.whole = False
        self.step += 1
        loss = self._take(drawn, batches, passed, fraction)
        self.whole = True
        return loss

    def _batches(self) -> list[Examples]:
        begin = self.step * SIDES * self.batch
        starts = [begin + side * self.batch for side in range(SIDES)]
        return [self.parts.draw(self.batch, start, self.seed) for start in starts]

    def _gradients(self, chosen: Sequence[BranchSubnetwork], examples: Examples) -> PassedGradient:
        room = self.memory_budget // max(1, SIDES * self.branches.image_bytes(chosen))
        micro = max(1, min(self.batch, room))
        return gradients_of(self.branches, chosen, self.weights, examples, micro=micro)

    def _take(
        self,
        drawn: Sequence[Sequence[Drawn]],
        batches: Sequence[Examples],
        passed: Sequence[PassedGradient],
        fraction: float,
    ) -> float:
        """Move the stitches by what the batches gave."""
        total: Gradients = {}
        losses: list[float] = []
        for side, result, examples in zip(drawn, passed, batches, strict=True):
            for (branch, alone), loss in zip(side, result.losses, strict=True):
                if not math.isfinite(loss):
                    self._blame(branch, examples)
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

    def _draw(self, fraction: float) -> list[Drawn]:
        drawn: list[Drawn] = []
        for _ in range(self.subnetworks):
            genotype, alone = self.draws.draw(self.generator, fraction)
            branch = self.single(alone) if alone is not None else self.branches.branch(genotype)
            drawn.append((branch, alone))
        return drawn

    def single(self, stitch: int) -> BranchSubnetwork:
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

    def _blame(self, branch: BranchSubnetwork, examples: Examples) -> None:
        """Give up the stitches behind a loss that is not finite.

        Those which alone give such a loss. Where none does, the subnetwork is left out of the step,
        and of its stitches the one that was in most such subnetworks is given up once it was in
        STRIKES of them. None, where one was given up in this step already, or where the images do
        it: without stitches too.
        """
        now = {each.stitch for each in self.diverged if each.step == self.step}
        if now.intersection(branch.stitches):
            return
        if not self._is_finite(self.branches.reference(branch), examples):
            return
        trained = [stitch for stitch in branch.stitches if stitch not in self.gains.closed]
        alone = [stitch for stitch in trained if self.draws.singles[stitch] is not None]
        guilty = [s for s in alone if not self._is_finite(self.single(s), examples)]
        for stitch in guilty:
            self.give_up(stitch)
        if guilty or not trained:
            return
        for stitch in trained:
            self.strikes[stitch] = self.strikes.get(stitch, 0) + 1
        suspect = max(trained, key=self.strikes.__getitem__)
        if self.strikes[suspect] >= STRIKES:
            self.give_up(suspect)

    def _is_finite(self, branch: BranchSubnetwork, examples: Examples) -> bool:
        return math.isfinite(self._gradients([branch], examples).losses[0])

    def give_up(self, stitch: int) -> None:
        """Put a stitch back, and leave it alone from now on."""
        self.gains.close(stitch)
        weight, bias = self.first[stitch]
        self.put(stitch, (weight, bias))
        values = self.coordinates[stitch].inner(weight.flatten(1), bias)
        with torch.no_grad():
            for tensor, value in zip(self.inner[stitch], values, strict=True):
                tensor.copy_(value)
        self.diverged.append(Divergence(self.step, stitch))

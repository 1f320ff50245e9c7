"""The steps of refining: draw subnetworks, compare them with their teachers, move the stitches."""

import math
from collections.abc import Sequence
from concurrent.futures import Executor

import numpy as np
import torch
from torch import Tensor

from netstitch.fitting.refinement.branch_subnetworks import (
    BranchSubnetwork,
    BranchSubnetworks,
    Gradients,
    LossesAndGradients,
    add_gradients,
    gradients_of,
)
from netstitch.fitting.refinement.preconditioner import IMAGES, make_preconditioners
from netstitch.fitting.refinement.refine_images import Examples, ImageParts
from netstitch.fitting.refinement.sampler import SubnetworkSampler
from netstitch.fitting.refinement.views import viewed

SIDES = 2
"""Batches of a step, each with subnetworks of its own; they run side by side where cores allow.
A fixed number, so that results do not depend on the machine."""

STRIKES = 3
"""Subnetworks without a finite loss that a stitch may be in, where no stitch alone is to blame."""

Drawn = tuple[BranchSubnetwork, int | None]
"""A subnetwork, and its stitch where it has a single one."""


class Training:
    """The state of refining a supernet's stitches.

    Args:
        branches: The supernet's, with the settings; a step changes their leaves in place.
        parts: The images.

    Raises:
        FittingError: The labels do not fit the loss, or views.

    Attributes:
        first: Weight and bias of every stitch after the first stage.
        inner: V and c of every stitch, see `preconditioner`.
        diverged: The step at which each stitch that gave values that are not finite was put back,
            and left alone from then on.
        whole: Whether no step is half done, as when Ctrl-C comes while the stitches move.
    """

    def __init__(self, branches: BranchSubnetworks, parts: ImageParts) -> None:
        self.branches, self.parts = branches, parts
        self.settings, union = branches.settings, branches.union
        self.first = [(w.detach().clone(), b.detach().clone()) for w, b in branches.leaves]
        some = parts.train.first(IMAGES)
        self.settings.views.check_labels(some)
        branches.check(some.first(self.settings.batch_size))
        self.preconditioners = make_preconditioners(
            union.stitches,
            union.features,
            (part.inputs for part in some.batches(self.settings.batch_size)),
            memory_budget=self.settings.memory_budget,
        )
        self.sampler = SubnetworkSampler(union)
        self.gains = self.sampler.gains
        self.generator = np.random.default_rng(self.settings.seed)
        self.step = 0
        self.whole = True
        self.diverged: dict[int, int] = {}
        self.strikes: dict[int, int] = {}
        self.inner = [
            tuple(tensor.requires_grad_(True) for tensor in each.inner(weight.flatten(1), bias))
            for each, (weight, bias) in zip(self.preconditioners, self.first, strict=True)
        ]
        flat = [tensor for pair in self.inner for tensor in pair]
        self.optimizer = torch.optim.Adam(flat, lr=self.settings.learning_rate)
        self._singles: dict[int, BranchSubnetwork] = {}

    def advance(self, fraction: float, pool: Executor) -> float:
        """Do one step and return the mean loss of its subnetworks before it.

        It is NaN where none was finite. The learning rate falls along a cosine with the fraction of
        the training that is done, in [0, 1]. Raises LookupError where no stitch is left to train.
        """
        begin = self.generator.bit_generator.state
        try:
            drawn = [self._draw(fraction) for _ in range(SIDES)]
            batches = [self._examples(side) for side in range(SIDES)]
            chosen = [[branch for branch, _ in side] for side in drawn]
            passed = list(pool.map(self._gradients, chosen, batches))
        except BaseException:
            self.generator.bit_generator.state = begin  # as if the step had not begun
            raise
        self.whole = False
        self.step += 1
        loss = self._take(drawn, batches, passed, fraction)
        self.whole = True
        return loss

    def room(self, chosen: Sequence[BranchSubnetwork]) -> int:
        """Return the number of images that fit the memory together, one at least."""
        needed = SIDES * self.branches.image_bytes(chosen)
        return max(1, self.settings.memory_budget // max(1, needed))

    def _examples(self, side: int) -> Examples:
        """Return the images of one side of the next step, each in a view of its own."""
        size, seed = self.settings.batch_size, self.settings.seed
        position = (self.step * SIDES + side) * size
        return viewed(self.parts.draw(size, position, seed), self.settings.views, seed, position)

    def _gradients(
        self, chosen: Sequence[BranchSubnetwork], examples: Examples
    ) -> LossesAndGradients:
        micro = min(self.settings.batch_size, self.room(chosen))
        return gradients_of(self.branches, chosen, examples, micro=micro)

    def _take(
        self,
        drawn: Sequence[Sequence[Drawn]],
        batches: Sequence[Examples],
        passed: Sequence[LossesAndGradients],
        fraction: float,
    ) -> float:
        """Move the stitches by what the batches gave, and return the mean loss."""
        total: Gradients = {}
        finite: list[float] = []
        for side, (losses, gradients), examples in zip(drawn, passed, batches, strict=True):
            for (branch, alone), loss in zip(side, losses, strict=True):
                if not math.isfinite(loss):
                    self._blame(branch, examples)
                    continue
                finite.append(loss)
                if alone is not None:
                    self.gains.note(alone, loss)
            add_gradients(total, gradients)
        for stitch in self.gains.closed:
            total.pop(stitch, None)
        self._move(total, fraction)
        return sum(finite) / len(finite) if finite else math.nan

    def _draw(self, fraction: float) -> list[Drawn]:
        drawn: list[Drawn] = []
        for _ in range(self.settings.subnetworks):
            genotype, alone = self.sampler.draw(self.generator, fraction)
            branch = self.branches.branch(genotype) if alone is None else self.single(alone)
            drawn.append((branch, alone))
        return drawn

    def single(self, stitch: int) -> BranchSubnetwork:
        """Return the branch in which a stitch stands alone; kept, since it comes often."""
        if stitch not in self._singles:
            genotype = self.sampler.singles[stitch]
            assert genotype is not None
            self._singles[stitch] = self.branches.branch(genotype)
        return self._singles[stitch]

    def _move(self, gradients: Gradients, fraction: float) -> None:
        """Do one step of Adam for the stitches that have gradients; the others stay."""
        self.optimizer.zero_grad(set_to_none=True)
        for stitch, (weight, bias) in gradients.items():
            found = self.preconditioners[stitch].gradients(weight, bias)
            for tensor, gradient in zip(self.inner[stitch], found, strict=True):
                tensor.grad = gradient
        share = 0.5 * (1 + math.cos(math.pi * min(1.0, fraction)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * share
        self.optimizer.step()
        for stitch in sorted(gradients):
            self.write(stitch)

    def write(self, stitch: int) -> None:
        """Bring a stitch's weights up to what was learned."""
        with torch.no_grad():
            inner, offset = self.inner[stitch]
            self.put(stitch, self.preconditioners[stitch].weights(inner, offset))

    def put(self, stitch: int, values: tuple[Tensor, Tensor]) -> None:
        """Give a stitch other weights to run with."""
        with torch.no_grad():
            weight, bias = self.branches.leaves[stitch]
            weight.copy_(values[0].reshape(weight.shape))
            bias.copy_(values[1])

    def _blame(self, branch: BranchSubnetwork, examples: Examples) -> None:
        """Give up the stitches behind a loss that is not finite.

        These are the ones that alone give such a loss. Where none does, the subnetwork is left out
        of the step, and the stitch of it that was in most such subnetworks is given up once it was
        in STRIKES of them. None is given up where one was in this step already, or where the images
        are the reason: without stitches the loss is not finite either.
        """
        if any(self.diverged.get(stitch) == self.step for stitch in branch.stitches):
            return
        if not self._is_finite(self.branches.reference(branch), examples):
            return
        trained = [stitch for stitch in branch.stitches if stitch not in self.gains.closed]
        guilty = [s for s in trained if not self._is_finite(self.single(s), examples)]
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
        (loss,), _ = self._gradients([branch], examples)
        return math.isfinite(loss)

    def give_up(self, stitch: int) -> None:
        """Put a stitch back, and leave it alone from now on."""
        self.gains.closed.add(stitch)
        weight, bias = self.first[stitch]
        self.put(stitch, (weight, bias))
        values = self.preconditioners[stitch].inner(weight.flatten(1), bias)
        with torch.no_grad():
            for tensor, value in zip(self.inner[stitch], values, strict=True):
                tensor.copy_(value)
        self.diverged[stitch] = self.step

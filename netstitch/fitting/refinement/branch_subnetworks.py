"""Running many subnetworks of one batch, with gradients for the stitches that they use.

Whatever does not follow a stitch is the same in all of them, and the teachers need it too: it is
computed once a batch, without gradients. Each subnetwork then computes only what follows its
stitches, one after the other, so that the memory of one is held at a time.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from netstitch.errors import FittingError
from netstitch.files.alignment import aligned
from netstitch.fitting.refinement.behaviour_losses import (
    against_labels,
    by_function,
    check_outputs,
    divergence,
)
from netstitch.fitting.refinement.refine_images import Examples
from netstitch.fitting.refinement.refine_settings import OWN, RefineSettings
from netstitch.fitting.refinement.union_graph import UnionGraph
from netstitch.networks.content import INPUT_KEY, content_keys, sample_bytes, united
from netstitch.networks.graph import INPUT, WEIGHT, Graph
from netstitch.networks.interpreter import Interpreter, make_interpreter
from netstitch.stitching.reachability import Genotype

Key = str
"""A content key."""

Gradients = dict[int, tuple[Tensor, Tensor]]
"""Gradients of weight (outputs, inputs) and bias (outputs,) by stitch."""

LossesAndGradients = tuple[list[float], Gradients]
"""The losses of some subnetworks on a batch, not finite where one or its gradient is not, and the
gradients, summed over the subnetworks whose loss is finite."""


@dataclass(frozen=True)
class BranchSubnetwork:
    """A subnetwork as what follows its stitches.

    Attributes:
        genotype: The subnetwork.
        stitches: Its active stitches.
        interpreter: Computes its outputs from original values.
        needed: Keys of these original values, and of the teacher's outputs.
        outputs: The content key of each output, by output.
        taught: The keys of the teacher's outputs, in the same order; none with labels.
        image_bytes: What it computes, and keeps for its gradient, for one image, about.
    """

    genotype: Genotype
    stitches: tuple[int, ...]
    interpreter: Interpreter
    needed: frozenset[Key]
    outputs: Mapping[str | None, Key]
    taught: tuple[Key, ...]
    image_bytes: int


class BranchSubnetworks:
    """Makes and runs the branches of a supernet, on one set of weights.

    Attributes:
        leaves: Weight (outputs, inputs, ...) and bias (outputs,) of every stitch, copies that take
            gradients and may be changed in place between runs.
        labelled: Whether the loss needs labels.
    """

    def __init__(self, union: UnionGraph, settings: RefineSettings) -> None:
        check_refining(union, settings)
        self.union, self.settings, loss = union, settings, settings.loss
        self.labelled = callable(loss) or loss == "labels"
        tensors = union.tensors()
        keys = [(f"{path}.weight", f"{path}.bias") for path in union.stitch_paths()]
        self.leaves = [(_leaf(tensors[weight]), _leaf(tensors[bias])) for weight, bias in keys]
        self._weights = {key: _laid_out(tensor.detach()) for key, tensor in tensors.items()}
        for pair, leaves in zip(keys, self.leaves, strict=True):
            self._weights.update(zip(pair, leaves, strict=True))
        graphs = [union.pruned_graph(g) for g in union.references().values()]
        contents = [content_keys(graph) for graph in graphs]
        ends = [tuple(_outputs(*each).values()) for each in zip(graphs, contents, strict=True)]
        # What teaches the subnetworks of each output.
        self._taught = ends
        if settings.teacher != OWN:
            self._taught = [ends[union.outputs.index(settings.teacher)]] * len(ends)
        together = united(graphs, contents=contents)
        self._originals = make_interpreter(together, self._weights, results=())
        self._sizes = _sizes(together)

    def branch(self, genotype: Genotype) -> BranchSubnetwork:
        """Return the branch of a genotype that has active stitches."""
        graph = self.union.pruned_graph(genotype)
        contents = content_keys(graph)
        own = united([graph], self._sizes, [contents])
        taught = () if self.labelled else self._taught[int(genotype[-1])]
        given = {node.name for node in own.nodes if node.operation == INPUT}
        return BranchSubnetwork(
            genotype=genotype,
            stitches=self.union.active_stitches(genotype),
            interpreter=make_interpreter(own, self._weights),
            needed=frozenset(given.union(taught) - {INPUT_KEY}),
            outputs=_outputs(graph, contents),
            taught=taught,
            image_bytes=sum(_sizes(own).values()),
        )

    def reference(self, branch: BranchSubnetwork) -> BranchSubnetwork:
        """Return the network that a branch stands for, which has no stitch."""
        return self.branch(self.union.genotype(int(branch.genotype[-1])))

    def image_bytes(self, chosen: Sequence[BranchSubnetwork]) -> int:
        """Return about the bytes that branches hold for one image: originals, and one's own."""
        originals = sum(self._sizes.get(key, 0) for key in _needed(chosen))
        return originals + max((branch.image_bytes for branch in chosen), default=0)

    def originals(self, inputs: Tensor, branches: Sequence[BranchSubnetwork]) -> dict[Key, Tensor]:
        """Return values that do not follow a stitch, as far as branches or teachers need them."""
        with torch.no_grad():
            interpreter = self._originals.keeping(_needed(branches))
            return interpreter.compute(self.arrange(inputs))

    def arrange(self, inputs: Tensor) -> Tensor:
        """Return inputs in the layout and on the device of the weights."""
        return _laid_out(inputs.to(self.leaves[0][0].device))

    def loss_of(
        self, branch: BranchSubnetwork, examples: Examples, originals: Mapping[Key, Tensor]
    ) -> Tensor:
        """Return the loss of a branch on a batch, a scalar."""
        return self.losses_of(branch, [examples], examples.inputs, originals)[0]

    def losses_of(
        self,
        branch: BranchSubnetwork,
        groups: Sequence[Examples],
        inputs: Tensor,
        originals: Mapping[Key, Tensor],
    ) -> list[Tensor]:
        """Return the losses of a branch on consecutive groups of images, which run together.

        Inputs and original values are those of all groups.
        """
        found = {**originals, **branch.interpreter.compute(self.arrange(inputs), originals)}

        def of_groups(key: Key) -> Sequence[Tensor]:
            values: Tensor = found[key]
            rows = len(values) // len(inputs)
            return torch.split(values, [len(group) * rows for group in groups])

        outputs = {name: of_groups(key) for name, key in branch.outputs.items()}
        taught = [of_groups(key) for key in branch.taught]
        losses: list[Tensor] = []
        for number, group in enumerate(groups):
            own = {name: parts[number] for name, parts in outputs.items()}
            if self.labelled:
                losses.append(self._against_labels(own, group))
            else:
                compared = zip(own.values(), (parts[number] for parts in taught), strict=True)
                losses.append(torch.stack([divergence(*pair) for pair in compared]).sum())
        return losses

    def _against_labels(self, outputs: Mapping[str | None, Tensor], examples: Examples) -> Tensor:
        assert examples.labels is not None
        labels = examples.labels.to(next(iter(outputs.values())).device)
        if callable(self.settings.loss):
            return by_function(self.settings.loss, outputs, labels)
        return against_labels(outputs, labels)

    def check(self, examples: Examples) -> None:
        """Compute a loss of labels on what the networks give; other losses need no check.

        Raises:
            FittingError: The loss does not fit the labels, or has no gradient.
        """
        if not self.labelled:
            return
        branch = self.branch(list(self.union.references().values())[-1])
        found = self.originals(examples.inputs, [branch])
        outputs = {
            name: found[key].detach().requires_grad_() for name, key in branch.outputs.items()
        }
        if not self._against_labels(outputs, examples).requires_grad:
            raise FittingError(
                "the loss function gives no gradient: compute the loss from the outputs with "
                "torch, without .detach(), .item() or torch.no_grad()"
            )


def _needed(chosen: Sequence[BranchSubnetwork]) -> set[Key]:
    """Return the keys of original values that branches or their teachers need."""
    return {key for branch in chosen for key in branch.needed}


def _sizes(graph: Graph) -> dict[Key, int]:
    """Return the bytes of each computed value for one sample, by name."""
    computed = (node for node in graph.nodes if node.operation not in (INPUT, WEIGHT))
    return {node.name: sample_bytes(node) for node in computed}


def _outputs(graph: Graph, contents: Mapping[str, Key]) -> dict[str | None, Key]:
    """Return the content keys of a graph's outputs, by output."""
    return {key: contents[name] for key, name in graph.outputs}


def _leaf(tensor: Tensor) -> Tensor:
    return _laid_out(tensor.detach().clone()).requires_grad_(True)


def _laid_out(tensor: Tensor) -> Tensor:
    # Convolutions of small networks are several times faster so, on CPUs too.
    return aligned(tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor)


def gradients_of(
    branches: BranchSubnetworks,
    chosen: Sequence[BranchSubnetwork],
    examples: Examples,
    *,
    micro: int,
) -> LossesAndGradients:
    """Return losses of subnetworks on a batch, and their gradients.

    More than `micro` images are run one part after the other, which bounds the memory.
    """
    losses = [0.0] * len(chosen)
    found: list[Gradients] = [{} for _ in chosen]
    with torch.inference_mode(False), torch.enable_grad():
        for given in examples.batches(micro):
            part = Examples(branches.arrange(given.inputs), given.labels)
            share = len(part) / len(examples)
            originals = branches.originals(part.inputs, chosen)
            for index, branch in enumerate(chosen):
                if not math.isfinite(losses[index]):
                    continue
                loss = branches.loss_of(branch, part, originals)
                losses[index] += float(loss.detach()) * share
                derivatives = _derivatives(branches, branch, loss * share)
                if not all(bool(g.isfinite().all()) for pair in derivatives.values() for g in pair):
                    losses[index] = math.nan
                add_gradients(found[index], derivatives)
    total: Gradients = {}
    for loss_value, gradients in zip(losses, found, strict=True):
        if math.isfinite(loss_value):
            add_gradients(total, gradients)
    return losses, total


def _derivatives(branches: BranchSubnetworks, branch: BranchSubnetwork, loss: Tensor) -> Gradients:
    """Return a loss's gradients; stitches that it does not depend on are left out.

    A function of labels may look at some of the outputs only.
    """
    if not loss.requires_grad:
        return {}
    leaves = [tensor for stitch in branch.stitches for tensor in branches.leaves[stitch]]
    found = torch.autograd.grad(loss, leaves, allow_unused=True)
    return {
        stitch: (weight.flatten(1), bias)
        for stitch, weight, bias in zip(branch.stitches, found[::2], found[1::2], strict=True)
        if weight is not None and bias is not None
    }


def add_gradients(total: Gradients, found: Gradients) -> None:
    """Add gradients to a sum."""
    for stitch, (weight, bias) in found.items():
        old = total.get(stitch)
        total[stitch] = (weight, bias) if old is None else (old[0] + weight, old[1] + bias)


def check_refining(union: UnionGraph, settings: RefineSettings) -> None:
    """Raise FittingError where there is no such teacher, or loss or views do not fit the networks.

    To be called before the stitches are fitted, which takes long.
    """
    for genotype in union.references().values():
        graph = union.pruned_graph(genotype)
        check_outputs(settings.loss, graph, union.probabilities)
        settings.views.check_images(graph.input.shape or ())
    if settings.teacher not in (OWN, *union.outputs):
        raise FittingError(
            f"there is no teacher {settings.teacher!r}: expected {OWN!r} (the networks that a "
            f"subnetwork's output is of), or one of {', '.join(union.outputs)}"
        )

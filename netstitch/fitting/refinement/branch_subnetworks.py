"""Running many subnetworks of one batch, with gradients for the stitches that they use.

Whatever does not follow a stitch is the same in all of them, and the teachers need it too: it is
computed once a batch, without gradients. Each subnetwork then computes only what follows its
stitches, one after the other, so that the memory of one is held at a time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from netstitch.errors import FittingError
from netstitch.files.alignment import aligned
from netstitch.fitting.moments import MeanVariance
from netstitch.fitting.refinement.behaviour_losses import (
    BehaviourLoss,
    against_labels,
    by_function,
    check_outputs,
    distance,
    distance_unit,
    divergence,
    last_layers,
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

Contents = Mapping[str, Key]
"""Content keys of a graph's nodes by name."""


@dataclass(frozen=True)
class BranchSubnetwork:
    """A subnetwork as what follows its stitches.

    Attributes:
        genotype: The subnetwork.
        stitches: Its active stitches.
        interpreter: Computes it from original values: its outputs, and what the loss compares.
        needed: Keys of these original values.
        outputs: Its content keys by output.
        pairs: Its keys and the teacher's keys that are compared with each other; none with labels.
        image_bytes: What it computes, and keeps for its gradient, for one image, about.
    """

    genotype: Genotype
    stitches: tuple[int, ...]
    interpreter: Interpreter
    needed: frozenset[Key]
    outputs: tuple[tuple[str | None, Key], ...]
    pairs: tuple[tuple[Key, Key], ...]
    image_bytes: int


class BranchSubnetworks:
    """Makes and runs the branches of a supernet, on one set of weights.

    Args:
        union: The supernet.
        weights: All tensors by path; stitches' weights may be changed in place between runs.
        loss: As of `RefineSettings`.
        teacher: As of `RefineSettings`.

    Raises:
        FittingError: The teacher does not exist, or loss or teacher do not fit the outputs.
    """

    def __init__(
        self,
        union: UnionGraph,
        weights: Mapping[str, Tensor],
        *,
        loss: BehaviourLoss = "outputs",
        teacher: str = OWN,
    ) -> None:
        self.union, self.weights, self.loss = union, weights, loss
        self.labelled = callable(loss) or loss == "labels"
        graphs = [union.pruned_graph(g) for g in union.references().values()]
        for graph in graphs:
            check_outputs(loss, graph, union.probabilities)
        if teacher != OWN and teacher not in union.outputs:
            raise FittingError(
                f"there is no teacher {teacher!r}: expected {OWN!r} (the networks that a "
                f"subnetwork's output is of), or one of {', '.join(union.outputs)}"
            )
        self._teacher = None if teacher == OWN else union.outputs.index(teacher)
        if self._teacher is not None and loss == "features":
            raise FittingError(
                f"the features of {teacher!r} are no measure for other networks': use "
                f"teacher={OWN!r} with loss='features'"
            )
        self._graphs = graphs
        self._contents = [content_keys(graph) for graph in graphs]
        self._layers = [last_layers(graph) for graph in graphs]
        self._units: dict[Key, float] = {}
        together = united(graphs, contents=self._contents)
        self._originals = make_interpreter(together, weights, results=())
        self._sizes = _sizes(together)

    def branch(self, genotype: Genotype) -> BranchSubnetwork:
        """Return the branch of a genotype that has active stitches."""
        graph = self.union.pruned_graph(genotype)
        contents = content_keys(graph)
        outputs = _ends(graph, contents)
        pairs = self._pairs(graph, contents, int(genotype[-1]))
        own = united([graph], self._sizes, [contents])
        sizes = _sizes(own)
        compared = [*(key for _, key in outputs), *(key for key, _ in pairs if key in sizes)]
        return BranchSubnetwork(
            genotype=genotype,
            stitches=self.union.active_stitches(genotype),
            interpreter=make_interpreter(own, self.weights, results=compared),
            needed=frozenset(n.name for n in own.nodes if n.operation == INPUT) - {INPUT_KEY},
            outputs=outputs,
            pairs=pairs,
            image_bytes=sum(sizes.values()),
        )

    def reference(self, branch: BranchSubnetwork) -> BranchSubnetwork:
        """Return the network that a branch stands for, which has no stitch."""
        return self.branch(self.union.genotype(int(branch.genotype[-1])))

    def _pairs(self, graph: Graph, contents: Contents, output: int) -> tuple[tuple[Key, Key], ...]:
        """Return the keys that are compared: of outputs, or of what last layers read."""
        if self.labelled:
            return ()
        teacher = output if self._teacher is None else self._teacher
        own: tuple[Key, ...] | None = None
        taught: tuple[Key, ...] | None = None
        if self.loss == "features":
            own = _read(graph, contents, self._layers[output])
            taught = _read(self._graphs[output], self._contents[output], self._layers[output])
        if own is None or taught is None:
            # A stitch behind a last layer replaces it; what comes out is compared then.
            own = tuple(key for _, key in _ends(graph, contents))
            taught = tuple(key for _, key in _ends(self._graphs[teacher], self._contents[teacher]))
        return tuple(zip(own, taught, strict=True))

    def measure(self, examples: Iterable[Examples]) -> None:
        """Take the units of distances between features from original values.

        To be called before losses are asked for; does nothing unless the loss is "features".
        """
        if self.loss != "features":
            return
        keys = self._original_ends()
        for graph, contents, layers in zip(self._graphs, self._contents, self._layers, strict=True):
            keys.update(_read(graph, contents, layers) or ())
        variances = {key: MeanVariance() for key in keys}
        for part in examples:
            with torch.no_grad():
                found = self._originals.keeping(keys).compute(self.arrange(part.inputs))
            for key, variance in variances.items():
                variance.add(found[key].flatten(1))
        self._units = {key: distance_unit(variance) for key, variance in variances.items()}

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
        inputs = inputs.to(next(iter(self.weights.values())).device)
        return aligned(inputs.to(memory_format=torch.channels_last) if inputs.ndim == 4 else inputs)

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

        Args:
            branch: The subnetwork.
            groups: The images, with labels where the loss needs them.
            inputs: Of all groups.
            originals: Values of `originals`, of all groups.
        """
        found = {**originals, **branch.interpreter.compute(self.arrange(inputs), originals)}
        compared = {key for pair in branch.pairs for key in pair}
        parts: dict[Key, Sequence[Tensor]] = {}
        for key in compared.union(key for _, key in branch.outputs):
            rows = len(found[key]) // len(inputs)
            parts[key] = found[key].split([len(group) * rows for group in groups])
        return [
            self._loss(branch, {key: each[number] for key, each in parts.items()}, group)
            for number, group in enumerate(groups)
        ]

    def _loss(
        self, branch: BranchSubnetwork, found: Mapping[Key, Tensor], examples: Examples
    ) -> Tensor:
        if self.labelled:
            return self._against_labels({key: found[end] for key, end in branch.outputs}, examples)
        losses = [
            distance(found[own], found[theirs], self._units[theirs])
            if self.loss == "features"
            else divergence(found[own], found[theirs])
            for own, theirs in branch.pairs
        ]
        return torch.stack(losses).sum()

    def _against_labels(self, outputs: Mapping[str | None, Tensor], examples: Examples) -> Tensor:
        assert examples.labels is not None
        labels = examples.labels.to(next(iter(outputs.values())).device)
        if callable(self.loss):
            return by_function(self.loss, outputs, labels)
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
        outputs = {key: found[end].detach().requires_grad_() for key, end in branch.outputs}
        if not self._against_labels(outputs, examples).requires_grad:
            raise FittingError(
                "the loss function gives no gradient: compute the loss from the outputs with "
                "torch, without .detach(), .item() or torch.no_grad()"
            )

    def _original_ends(self) -> set[Key]:
        """Return the content keys of the outputs of the basis networks and the ensemble."""
        each = zip(self._graphs, self._contents, strict=True)
        return {key for graph, contents in each for _, key in _ends(graph, contents)}


def _needed(chosen: Sequence[BranchSubnetwork]) -> set[Key]:
    """Return the keys of original values that branches or their teachers need."""
    needed = {key for branch in chosen for key in branch.needed}
    return needed | {theirs for branch in chosen for _, theirs in branch.pairs}


def _sizes(graph: Graph) -> dict[Key, int]:
    """Return the bytes of each computed value for one sample, by name."""
    computed = (node for node in graph.nodes if node.operation not in (INPUT, WEIGHT))
    return {node.name: sample_bytes(node) for node in computed}


def _ends(graph: Graph, contents: Contents) -> tuple[tuple[str | None, Key], ...]:
    """Return the content keys of a graph's outputs."""
    return tuple((key, contents[name]) for key, name in graph.outputs)


def _read(graph: Graph, contents: Contents, layers: Sequence[str]) -> tuple[Key, ...] | None:
    """Return content keys of what layers read; None where one is missing, or reads nothing."""
    if not all(layer in graph.by_name for layer in layers):
        return None
    names = [name for layer in layers for name in graph.by_name[layer].inputs if name in contents]
    return tuple(contents[name] for name in names if contents[name] != INPUT_KEY) or None


def check_refining(union: UnionGraph, settings: RefineSettings) -> None:
    """Raise FittingError where a loss or teacher cannot be refined with, whatever the images are.

    To be called before the stitches are fitted, which takes long.
    """
    BranchSubnetworks(union, union.tensors(), loss=settings.loss, teacher=settings.teacher)

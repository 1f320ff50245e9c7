"""Running many subnetworks of one batch, with gradients for the stitches that they use.

Whatever does not follow a stitch is the same in all of them, and the teachers need it too: it is
computed once a batch, without gradients. Each subnetwork then computes only what follows its
stitches, one after the other, so that the memory of one is held at a time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from netstitch.errors import FittingError
from netstitch.fitting.refinement.examples import Examples
from netstitch.fitting.refinement.joined import Joined
from netstitch.fitting.refinement.losses import (
    FEATURES,
    OUTPUTS,
    LabelLoss,
    against_labels,
    check_loss,
    check_outputs,
    distance,
    divergence,
    last_layers,
)
from netstitch.networks.graph import WEIGHT, Graph
from netstitch.networks.plan import Key, Plan, content_keys, execute, make_plan
from netstitch.stitching.wiring import Genotype

OWN = "own"
"""The teacher that is the all-original network of a subnetwork's output choice."""


@dataclass(frozen=True)
class Branch:
    """A subnetwork as what follows its stitches.

    stitches: its active stitches. plan: computes it from original values. outputs: its content
    keys by output. kept: keys besides the outputs whose values the loss compares.
    pairs: of its keys and the teacher's keys, compared with each other.
    image_bytes: what it keeps for its gradient for one image, what it reads included, about.
    """

    genotype: Genotype
    stitches: tuple[int, ...]
    plan: Plan
    outputs: tuple[tuple[str | None, Key], ...]
    kept: tuple[Key, ...]
    pairs: tuple[tuple[Key, Key], ...]
    image_bytes: int


class Branches:
    """Makes and runs the branches of a supernet, on one set of weights.

    weights: all tensors by path; stitches' weights may be changed in place between runs.
    loss, teacher: as in `refine`.

    Raises FittingError for a loss or teacher that does not exist, or does not fit the outputs.
    """

    def __init__(
        self,
        joined: Joined,
        weights: Mapping[str, Tensor],
        *,
        loss: str | LabelLoss = OUTPUTS,
        teacher: str = OWN,
    ) -> None:
        check_loss(loss)
        self.joined, self.weights, self.loss = joined, weights, loss
        graphs = [joined.subnetwork_graph(g)[0] for g in joined.references().values()]
        for graph in graphs:
            check_outputs(loss, graph)
        if teacher != OWN and teacher not in joined.outputs:
            raise FittingError(
                f"there is no teacher {teacher!r}: expected {OWN!r} (the networks that a "
                f"subnetwork's output is of), or one of {', '.join(joined.outputs)}"
            )
        self._teacher = None if teacher == OWN else joined.outputs.index(teacher)
        if self._teacher is not None and loss == FEATURES:
            raise FittingError(
                f"the features of {teacher!r} are no measure for other networks': use "
                f"teacher={OWN!r} with loss={FEATURES!r}"
            )
        self._taught = [self._compared(graph, last_layers(graph)) for graph in graphs]
        self._layers = [last_layers(graph) for graph in graphs]
        self._originals = make_plan(graphs, weights)
        self._sizes = {step.key: step.size for step in self._originals.steps}
        self._known = self._sizes.keys()

    def branch(self, genotype: Genotype) -> Branch:
        """The branch of a genotype that has active stitches."""
        graph, _ = self.joined.subnetwork_graph(genotype)
        output = int(genotype[-1])
        keys = content_keys(graph)
        outputs = tuple((key, keys[name]) for key, name in graph.outputs)
        own = self._compared(graph, self._layers[output])
        taught = self._taught[output if self._teacher is None else self._teacher]
        plan = make_plan([graph], self.weights, self._known)
        made = {step.key for step in plan.steps}
        ends = {key for _, key in outputs}
        return Branch(
            genotype=genotype,
            stitches=self.joined.active_stitches(genotype),
            plan=plan,
            outputs=outputs,
            kept=tuple(key for key in own if key in made and key not in ends),
            pairs=tuple(zip(own, taught, strict=True)),
            image_bytes=sum(step.size for step in plan.steps)
            + sum(self._sizes[key] for key in plan.needed),
        )

    def _compared(self, graph: Graph, layers: Sequence[str]) -> tuple[Key, ...]:
        """The keys whose values the loss compares: outputs, or what last layers read."""
        keys = content_keys(graph)
        ends = tuple(keys[name] for _, name in graph.outputs)
        if self.loss != FEATURES:
            return ends
        read = [
            keys[name]
            for layer in layers
            if layer in graph.by_name
            for name in graph.by_name[layer].inputs
            if graph.by_name[name].operation != WEIGHT and name in keys
        ]
        # A stitch behind a last layer replaces it; what comes out is compared then.
        return tuple(read) if read and all(name in graph.by_name for name in layers) else ends

    def originals(self, inputs: Tensor, branches: Sequence[Branch]) -> dict[Key, Tensor]:
        """Values that do not follow a stitch, as far as branches or teachers need them."""
        needed = {key for branch in branches for key in branch.plan.needed}
        needed |= {theirs for branch in branches for _, theirs in branch.pairs}
        with torch.no_grad():
            return execute(self._originals, self.arrange(inputs), {}, needed)

    def arrange(self, inputs: Tensor) -> Tensor:
        """Inputs in the layout and on the device of the weights."""
        device = next(iter(self.weights.values())).device
        if inputs.ndim == 4:
            return inputs.to(device).to(memory_format=torch.channels_last)
        return inputs.to(device)

    def values(
        self,
        branch: Branch,
        inputs: Tensor,
        originals: Mapping[Key, Tensor],
        kept: Sequence[Key] = (),
    ) -> dict[Key, Any]:
        """A branch's outputs and kept values, with what it reads of the originals."""
        known = {key: originals[key] for key in branch.plan.needed}
        return execute(branch.plan, inputs, known, (*branch.kept, *kept))

    def loss_of(
        self, branch: Branch, examples: Examples, originals: Mapping[Key, Tensor]
    ) -> Tensor:
        """The loss of a branch on a batch, a scalar."""
        inputs = self.arrange(examples.inputs)
        found = dict(originals) | self.values(branch, inputs, originals)
        if callable(self.loss) or self.loss == "labels":
            assert examples.labels is not None
            labels = examples.labels.to(inputs.device)
            outputs = {key: found[content] for key, content in branch.outputs}
            if callable(self.loss):
                return self.loss(outputs.get(None, outputs), labels)
            return against_labels(outputs, labels)
        compare: Callable[[Tensor, Tensor], Tensor]
        compare = distance if self.loss == FEATURES else divergence
        losses = [compare(found[own], found[theirs]) for own, theirs in branch.pairs]
        return torch.stack(losses).sum()

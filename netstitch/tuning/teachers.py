"""Teachers: networks of a supernet whose outputs others are trained to give."""

import torch
from torch import Tensor, nn

from netstitch.errors import FittingError
from netstitch.fitting.refinement.behaviour_losses import divergence
from netstitch.networks.graph import Graph
from netstitch.networks.module import build_module, copied_weights
from netstitch.supernet.decisions import AnySubnetwork
from netstitch.supernet.supernet import Supernet
from netstitch.tasks.task_outputs import select
from netstitch.text import expected_one_of
from netstitch.tuning.tuning_settings import LABELS


class Teacher:
    """A reference network with its own copy of the weights, which training does not change.

    Args:
        supernet: Has the network among its outputs.
        name: The output's name, such as "ensemble".
        output: The key of the output that is learned, where networks put out several.
        device: Where it runs.

    Raises:
        FittingError: There is no such network, or its output is not logits of classes.
        DataError: The networks have no output of that key.
    """

    def __init__(
        self,
        supernet: Supernet,
        name: str,
        output: str | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        references = supernet.references()
        if name not in references:
            hint = expected_one_of(name, (LABELS, *references))
            raise FittingError(f"there is no teacher {name!r:.80}; {hint}")
        self.name, self.output = name, output
        self.genotype = references[name]
        graph, weights = supernet.subnetwork_graph(self.genotype)
        _check_logits(graph, output, name)
        self._module = build_module(graph, copied_weights(weights)).to(device)

    @property
    def tensors(self) -> list[Tensor]:
        """Its weights."""
        return [*self._module.state_dict().values()]

    def same(self, supernet: Supernet, chosen: AnySubnetwork) -> bool:
        """Return whether a subnetwork is the teacher, by their graphs."""
        return supernet.pruned_graph(chosen) == supernet.pruned_graph(self.genotype)

    def check_other(self, supernet: Supernet, chosen: AnySubnetwork) -> None:
        """Raise FittingError where a network is its own teacher."""
        if self.same(supernet, chosen):
            raise FittingError(
                f"the network is its own teacher, {self.name!r}; train another network, or take "
                "another teacher"
            )

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return the outputs to learn for a batch."""
        with torch.no_grad():
            return select(self._module(inputs), self.output)

    def loss(self, student: nn.Module, inputs: Tensor) -> Tensor:
        """Return the divergence of a network's outputs from the teacher's for a batch, in nats."""
        return divergence(select(student(inputs), self.output), self(inputs))


def _check_logits(graph: Graph, output: str | None, name: str) -> None:
    """Raise FittingError unless an output is one of two or more classes."""
    shape = graph.output_shape(output)
    if len(shape) < 2 or shape[1] == 1:
        raise FittingError(
            f"the teacher {name!r} puts out ({', '.join(map(str, shape))}), and what is learned is "
            "probabilities of two or more classes, (batch, classes, ...); train on labels instead"
        )

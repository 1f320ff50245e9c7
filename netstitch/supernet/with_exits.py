"""The part of a supernet that has to do with exits: they are given, fitted, and run."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from netstitch.files.alignment import aligned
from netstitch.networks.graph import Graph
from netstitch.stitching.exit import Exit
from netstitch.stitching.exit_graph import ExitOutput, exit_output
from netstitch.supernet.decisions import Decisions
from netstitch.supernet.exit_set import ExitSet
from netstitch.supernet.supernet_arguments import check_batch


class WithExits(Decisions):
    """Exits of basis networks, each a linear map from features to the networks' output.

    Attributes:
        graphs: The networks' graphs.
        probabilities: Keys of the outputs that hold probabilities in all networks.
    """

    graphs: tuple[Graph, ...]
    probabilities: frozenset[str | None]
    _exit_set: ExitSet

    @property
    def exits(self) -> tuple[Exit, ...]:
        """The exits that it has; none before `fit_exits` or `set_exits`."""
        return self._exit_set.exits

    def set_exits(
        self, exits: Sequence[Exit], weights: Mapping[str, Tensor], *, output: str | None = None
    ) -> None:
        """Give it exits by hand, in the place of all that it has.

        Args:
            exits: Of its basis networks, one a point.
            weights: Finite tensors by "exits.<network>.<point>.weight" and ".bias": (classes,
                features) and (classes,), or (classes, channels, 1, 1) where outputs are maps.
            output: The key of the output that they stand for, where there are several.

        Raises:
            StitchingError: For exits or weights that do not fit.
        """
        self._exit_set.give(exits, weights, self._exit_output(output), self._like)

    def exit_weights(self) -> dict[str, Tensor]:
        """Return weights and biases of the exits by key."""
        return self._exit_set.weights()

    def exits_graph(self, exits: Sequence[Exit]) -> Graph:
        """Return one graph that computes several exits; its outputs are theirs, in their order."""
        return self._exit_set.graph_of(exits)

    def exit_outputs(self, batch: Tensor, exits: Sequence[Exit] | None = None) -> list[Tensor]:
        """Return what exits, by default all, put out for a batch, in one pass over the networks."""
        check_batch(self.graphs, batch, self._like.dtype)
        chosen = self.exits if exits is None else exits
        inputs = aligned(batch.to(self._like.device))
        return self._exit_set.outputs(inputs, chosen, self.tensors())

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Return all parameters, buffers and constants by the keys that subnetworks give them."""

    @property
    @abstractmethod
    def _like(self) -> Tensor:
        """A tensor of the type that it computes in, where it is."""

    def _exit_output(self, key: str | None) -> ExitOutput:
        found = exit_output(self.structure, key)
        return replace(found, probabilities=found.key in self.probabilities)

"""The part of a supernet that has to do with exits: fitting, setting and saving them."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from netstitch.events import Listener, Message, warn
from netstitch.files.folders import as_path
from netstitch.fitting import Batch, EnsembleTeacher, ExitReport, ExitSettings, fit_exits
from netstitch.networks.graph import Graph
from netstitch.stitching.exit import Exit
from netstitch.stitching.exit_graph import ExitOutput, exit_output
from netstitch.stitching.subgraph import Averaging
from netstitch.supernet.decisions import AnySubnetwork, Decisions
from netstitch.supernet.exit_set import ExitSet
from netstitch.supernet.storage import replace_exits


class WithExits(Decisions):
    """Exits of basis networks, each a linear map from features to the networks' output.

    Attributes:
        graphs: The networks' graphs.
        averaging: How the ensemble is formed.
        probabilities: Keys of the outputs that hold probabilities in all networks.
    """

    graphs: tuple[Graph, ...]
    averaging: Averaging
    probabilities: frozenset[str | None]
    _exit_set: ExitSet

    @property
    def exits(self) -> tuple[Exit, ...]:
        """The exits; none before `fit_exits` or `set_exits`."""
        return self._exit_set.exits

    def set_exits(
        self, exits: Sequence[Exit], weights: Mapping[str, Tensor], *, output: str | None = None
    ) -> None:
        """Replace all exits by given ones.

        Args:
            exits: Exits of the basis networks, at most one for each point.
            weights: Finite tensors by "exits.<network>.<point>.weight" and ".bias": (classes,
                features) and (classes,), or (classes, channels, 1, 1) where outputs are maps.
            output: The key of the output that they predict, where there are several.

        Raises:
            StitchingError: For exits or weights that do not fit.
        """
        self._exit_set.give(exits, weights, self._exit_output(output), self._like)

    def fit_exits(
        self,
        batches: Iterable[Batch],
        *,
        output: str | None = None,
        listener: Listener = warn,
        **settings: object,
    ) -> ExitReport:
        """Fit exits at points of all networks to the ensemble's probabilities.

        All earlier exits are replaced. Stitches have no part in exits.

        Args:
            batches: Inputs (n, ...), or (inputs, labels) pairs whose labels are not used.
            output: The key of the output that they predict, where there are several.
            listener: Told of progress and of exits that are left out; by default the latter are
                warnings.
            settings: Fields of `netstitch.fitting.ExitSettings`.
        """
        given = ExitSettings.from_keywords(settings, ("output", "listener"))
        chosen = self._exit_output(output)
        teacher = EnsembleTeacher(self.structure, chosen, self.averaging, self.tensors())
        found = fit_exits(teacher, self._own(batches), given, listener)
        self._exit_set.give(found.exits, found.weights, chosen, self._like)
        self.exit_report = found.report
        for line in found.report.doubts():
            listener(Message(line, warning=True))
        return found.report

    def save_exits(self, folder: Path | str) -> None:
        """Write the exits into the folder that the supernet was saved in, replacing others.

        Raises:
            StorageError: The folder holds no supernet, or cannot be written.
        """
        entry, weights = self._exit_set.to_json(), self.exit_weights()
        replace_exits(as_path(folder), entry, weights, self.exit_report)

    @property
    def exit_report(self) -> ExitReport | None:
        """The report of `fit_exits`, once it has run."""
        return self._exit_set.report

    @exit_report.setter
    def exit_report(self, report: ExitReport | None) -> None:
        self._exit_set.report = report

    def exit_weights(self) -> dict[str, Tensor]:
        """Return weights and biases of the exits by key."""
        return self._exit_set.weights()

    def exits_graph(self, exits: Sequence[Exit]) -> Graph:
        """Return one graph that computes several exits; its outputs are theirs, in their order."""
        return self._exit_set.graph_of(exits)

    def puts_out_probabilities(self, key: str | None) -> bool:
        """Return whether the output of a key, or the only output, holds probabilities."""
        only = self.graphs[0].output_keys
        return (only[0] if len(only) == 1 else key) in self.probabilities

    @abstractmethod
    def pruned_graph(self, genotype: AnySubnetwork) -> Graph:
        """Return the graph of what the output of a genotype or an exit depends on."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Return all parameters, buffers and constants by the keys that subnetworks give them."""

    @property
    @abstractmethod
    def _like(self) -> Tensor:
        """A tensor of the type that it computes in, where it is."""

    @abstractmethod
    def _own(self, batches: Iterable[Batch]) -> Iterable[Batch]:
        """Return the batches, checked as they are read."""

    def _exit_output(self, key: str | None) -> ExitOutput:
        found = exit_output(self.structure, key)
        return replace(found, probabilities=found.key in self.probabilities)

"""The supernet: trained networks, frozen, joined by stitches and switches (the paper's section 3).

Networks, matching, stitching and fitting meet here; later rooms only read it.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from netstitch.errors import FittingError, StitchingError
from netstitch.files.alignment import aligned
from netstitch.files.folders import as_path
from netstitch.fitting import Batch, FitReport, RefineReport, fit, recalibrated, refine
from netstitch.fitting.fit_settings import check_threads
from netstitch.matching.matches import Matching
from netstitch.networks.counting import count_parameters
from netstitch.networks.feature_layout import StitchLayer
from netstitch.networks.graph import WEIGHT, Graph
from netstitch.networks.inputs import fitting_batches
from netstitch.networks.module import build_module, copied_weights
from netstitch.networks.network import Network
from netstitch.stitching import subnetwork_html
from netstitch.stitching.cascade import Cascade
from netstitch.stitching.exit import Exit
from netstitch.stitching.feature_reader import FeatureReader
from netstitch.stitching.stitch import FeatureRef
from netstitch.stitching.structure import Structure, distinct_names
from netstitch.stitching.subgraph import (
    Averaging,
    Subgraph,
    check_outputs,
    make_subgraph,
)
from netstitch.supernet.cascade_parts import (
    cascade_module,
    graph_of_all_stages,
    parameters_of_all_stages,
)
from netstitch.supernet.decisions import AnySubnetwork
from netstitch.supernet.exit_set import ExitSet
from netstitch.supernet.storage import SupernetFiles, write_supernet
from netstitch.supernet.supernet_arguments import (
    blank_inputs,
    check_arguments,
    check_batch,
    check_joinable,
    check_weights,
    make_board,
)
from netstitch.supernet.supernet_settings import MEMORY_BUDGET
from netstitch.supernet.with_exits import WithExits
from netstitch.threads import fastest_threads

UNFITTED = (
    "the stitches were never fitted, and hold random numbers: call fit(batches) of the supernet "
    "first, or set_stitches(weights) to use weights of your own"
)

Runnable = AnySubnetwork | Cascade
"""A subnetwork, or a cascade of several."""


class Supernet(WithExits, nn.Module):
    """Trained networks joined by the stitches of a matching, and the decisions between them.

    Attributes:
        networks: the basis networks, of one task: equal input shape and equal outputs.
        matching: which points may replace one another.
        averaging: how the ensemble is formed.
        board: stitches, switches, and the output switch's choices, by index.
        structure: names, graphs and board: all but the weights.
        fit_report: how well each stitch translates, once `fit` has run.
        refine_report: what `refine` was worth, once it has run.
        probabilities: keys of the outputs that hold probabilities in all networks; None is the key
            of an output that is one tensor.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        matching: Matching | None = None,
        *,
        averaging: Averaging | None = None,
        outputs: Sequence[Sequence[int | str]] | None = None,
        memory_budget: int = MEMORY_BUDGET,
    ) -> None:
        """Join captured networks; the stitches are not fitted yet.

        Args:
            networks: two or more, from `ns.capture`.
            matching: from `ns.match` of the same networks; always needed.
            averaging: how the ensemble is formed; by default the mean of the networks' outputs.
            outputs: sets of networks, by number or name, that the output switch offers; by default
                each one, each pair of up to four networks, and all.
            memory_budget: bytes that networks and fitted stitches may take.

        Raises:
            StitchingError: when the matching does not belong to the networks or has a cycle, where
                some networks put out probabilities and others logits, for outputs that are no sets
                of these networks, and beyond the memory budget.
        """
        super().__init__()
        matching = check_arguments(networks, matching, averaging)
        self.networks = nn.ModuleList(networks)
        self.graphs: tuple[Graph, ...] = tuple(network.graph for network in networks)
        self.names = distinct_names([network.name for network in networks])
        self.matching = matching
        self.averaging = averaging or Averaging()
        check_joinable(self.names, self.graphs, self.averaging)
        self.probabilities = check_outputs(self.names, networks, self.averaging)
        self.board = make_board(self.names, networks, matching, outputs, memory_budget)
        if not matching.depths:  # one made by hand, or read from a file
            self.matching = matching.placed(self.names, self.graphs)
        self.structure = Structure(self.names, self.graphs, self.board)
        self.layers = nn.ModuleList(stitch.layer() for stitch in self.board.stitches)
        self.requires_grad_(False)
        self.fit_report: FitReport | None = None
        self.refine_report: RefineReport | None = None
        self._given = False  # whether `set_stitches` was called
        self._exit_set = ExitSet(self.structure)
        self._features = FeatureReader(networks)
        self._made: Subgraph = {}
        self.train(False)

    # -- costs

    def macs(self, genotype: Runnable) -> int:
        """Return a subnetwork's multiply-adds for one image; of a cascade, those of all stages."""
        if isinstance(genotype, Cascade):
            return graph_of_all_stages(self, genotype).multiply_adds
        if isinstance(genotype, Exit):
            return self.pruned_graph(genotype).multiply_adds
        return self.wiring.multiply_adds(self._checked(genotype))

    def elementwise(self, genotype: AnySubnetwork) -> int:
        """Return the elements that activations, norms and pooling touch for one image."""
        if isinstance(genotype, Exit):
            return sum(node.elementwise for node in self.pruned_graph(genotype).nodes)
        return self.wiring.elementwise(self._checked(genotype))

    def active_stitches(self, genotype: Runnable) -> tuple[int, ...]:
        """Return the indices of the stitches that a subnetwork or a cascade runs."""
        if isinstance(genotype, Cascade):
            found = (self.active_stitches(stage.subnetwork) for stage in genotype.stages)
            return tuple(sorted({index for indices in found for index in indices}))
        if isinstance(genotype, Exit):
            return ()
        return self.structure.active_stitches(self._checked(genotype))

    def parameters_of(self, genotype: Runnable) -> int:
        """Return the number of parameters of a subnetwork, or of all stages of a cascade."""
        if isinstance(genotype, Cascade):
            return parameters_of_all_stages(self, genotype)
        return count_parameters(self.subnetwork_graph(genotype)[1])

    # -- fitting

    def fit(
        self,
        batches: Iterable[Batch],
        *,
        method: str = "least-squares",
        threads: int | None = None,
        **settings: Any,
    ) -> FitReport:
        """Fit all stitches.

        Args:
            batches: inputs (n, ...), or (inputs, labels) pairs whose labels are not used.
            method: one of `netstitch.fitting`.
            threads: used inside each operation; by default one or torch's own number, whichever is
                faster here. The last bits of stitches depend on it, and the report names it.
            settings: keyword arguments of the method.
        """
        check_threads(threads)
        candidates = None if threads is None else (threads,)
        refs = [ref for stitch in self.stitches for ref in (stitch.source, stitch.target)]
        blank = blank_inputs(self.graphs).to(self._like.device)
        with fastest_threads(lambda: self.features(blank, refs), candidates=candidates) as used:
            report = fit(self, self._layers, self._own(batches), method=method, **settings)
        report = report.model_copy(update={"settings": {**report.settings, "threads": used}})
        # Only now: a fit that fails leaves the layers, and so the report on them.
        self.fit_report, self.refine_report = report, None
        return report

    def refine(self, batches: Iterable[Batch], **settings: Any) -> RefineReport:
        """Train the fitted stitches in sampled subnetworks; raise StitchingError for unfitted ones.

        Args:
            batches: inputs (n, ...), or (inputs, labels) pairs whose labels some losses use.
            settings: keyword arguments of `netstitch.fitting.refine`.
        """
        self.check_fitted()
        self.refine_report = refine(self, self._layers, self._own(batches), **settings)
        return self.refine_report

    @property
    def fitted(self) -> bool:
        """True where stitches were fitted or set, or where there are none."""
        return self._given or self.fit_report is not None or not self.stitches

    def check_fitted(self, genotype: Runnable | None = None) -> None:
        """Raise StitchingError where stitches, those of a subnetwork or any, were never fitted."""
        if not self.fitted and (genotype is None or self.active_stitches(genotype)):
            raise StitchingError(UNFITTED)

    def set_stitches(self, weights: Mapping[str, Tensor], *, fitted: bool = True) -> None:
        """Give all stitches weights by hand instead of by `fit`.

        Args:
            weights: Finite tensors by the keys, and of the shapes, of `stitch_weights`.
            fitted: Whether the supernet counts as fitted by them.

        Raises:
            StitchingError: For other weights.
        """
        own = self.stitch_weights()
        check_weights(own, weights, "stitches", "stitch_weights()")
        with torch.no_grad():
            for key, tensor in own.items():
                tensor.copy_(weights[key])
        self._given, self.fit_report, self.refine_report = fitted, None, None

    # -- tensors

    @property
    def basis_networks(self) -> tuple[Network, ...]:
        """The networks that are joined, in their order."""
        return tuple(cast(Iterable[Network], self.networks))

    @property
    def _layers(self) -> list[StitchLayer]:
        return list(cast(Iterable[StitchLayer], self.layers))

    def _own(self, batches: Iterable[Batch]) -> Iterable[Batch]:
        """Return the batches, checked as they are read."""
        return fitting_batches(self.graphs, batches, FittingError, self._dtype)

    @property
    def _like(self) -> Tensor:
        """A tensor of the supernet's dtype and device.

        For networks without weights it is of float32 on the CPU.
        """
        return next((p for p in self.parameters() if p.is_floating_point()), torch.zeros(0))

    @property
    def _dtype(self) -> torch.dtype:
        return self._like.dtype

    def features(self, inputs: Tensor, places: Sequence[FeatureRef]) -> list[Tensor]:
        """Return the original values of points for a batch, as the basis networks compute them."""
        check_batch(self.graphs, inputs, self._dtype)
        return self._features(inputs, places)

    def tensors(self) -> dict[str, Tensor]:
        """Return all parameters, buffers and constants by the keys that subnetworks give them."""
        found: dict[str, Tensor] = {}
        for name, network in zip(self.names, self.basis_networks, strict=True):
            found |= {f"{name}.{key}": tensor for key, tensor in network.weights.items()}
        return found | self.stitch_weights() | self.exit_weights()

    def stitch_weights(self) -> dict[str, Tensor]:
        """Return weights and biases of the stitches by key."""
        return {
            f"{path}.{part}": tensor
            for path, layer in zip(self.stitch_paths(), self.layers, strict=True)
            for part, tensor in layer.named_parameters()
        }

    # -- subnetworks

    def pruned_graph(self, genotype: AnySubnetwork) -> Graph:
        """Return the graph of what the output of a genotype or an exit depends on."""
        if isinstance(genotype, Exit):
            return self._exit_set.graph(genotype)
        chosen = self._checked(genotype)
        return make_subgraph(self.structure, self.averaging, chosen, self._made)

    def subnetwork_graph(
        self, genotype: AnySubnetwork, recalibrate: Iterable[Batch] | None = None
    ) -> tuple[Graph, dict[str, Tensor]]:
        """Return the pruned graph of a genotype or an exit, and its tensors, the supernet's own.

        With inputs to recalibrate with, statistics of batch norms behind stitches are new ones.
        """
        graph, everything = self.pruned_graph(genotype), self.tensors()
        keys = [node.path for node in graph.nodes if node.operation == WEIGHT]
        weights = {key: everything[key] for key in keys}
        if recalibrate is not None:
            inputs = fitting_batches(self.graphs, recalibrate, FittingError)
            weights = recalibrated(graph, weights, inputs)
        return graph, weights

    def subnetwork(
        self,
        genotype: Runnable,
        *,
        share: bool = False,
        recalibrate: Iterable[Batch] | None = None,
        output: str | None = None,
    ) -> fx.GraphModule:
        """Return a genotype's network, an exit, or a cascade, as an ordinary PyTorch module.

        It holds nothing of netstitch, copies, trains and saves a state dict. Norms keep the
        statistics of the basis networks and dropout stays off, in training mode too. In a notebook
        it is drawn as parts of the basis networks and stitches. Stitches that were never fitted are
        handed out with a warning.

        A cascade runs later stages for those samples of a batch that earlier ones are unsure of.
        What it puts out is calibrated, and its buffer `threshold` (stages - 1,) may be changed.

        Args:
            genotype: one integer per switch; or an exit, or a cascade.
            share: hold the supernet's own frozen tensors; by default copies, which take gradients.
            recalibrate: inputs that the batch norms behind stitches take their statistics from;
                see `netstitch.fitting.recalibrated`. The supernet keeps its own.
            output: the key of the output that a cascade decides by, and puts out; needed where the
                networks put out several.

        Raises:
            StitchingError: with `recalibrate`, for a cascade, and where stitches were never fitted.
        """
        if not self.fitted and recalibrate is None and self.active_stitches(genotype):
            warnings.warn(UNFITTED, stacklevel=2)
        if isinstance(genotype, Cascade):
            return cascade_module(self, genotype, share, recalibrate, output)
        if recalibrate is not None:
            self.check_fitted(genotype)
        graph, weights = self.subnetwork_graph(genotype, recalibrate)
        if not share:
            weights = copied_weights(weights)
        return build_module(graph, weights, html=self._drawn(genotype))

    def _drawn(self, genotype: AnySubnetwork) -> Callable[[], str] | None:
        """Return a function that draws a subnetwork for notebooks; None for an exit."""
        if isinstance(genotype, Exit):
            return None
        rows = () if self.fit_report is None else self.fit_report.rows
        errors = {index: row.relative_error for index, row in enumerate(rows)}
        return partial(subnetwork_html, self.structure, self._checked(genotype), errors)

    def forward(self, x: Tensor, genotype: Runnable | None = None) -> object:
        """Return the output for a batch, by default that of the last output choice."""
        chosen = self.genotype(len(self.outputs) - 1) if genotype is None else genotype
        check_batch(self.graphs, x, self._dtype)
        self.check_fitted(chosen)
        return self.subnetwork(chosen, share=True)(aligned(x))

    def _apply(self, fn: Callable[..., object], recurse: bool = True) -> "Supernet":
        # Moving to a device or type gives new buffers.
        self._features.forget()
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    def train(self, mode: bool = True) -> "Supernet":
        """Stay in evaluation behaviour: basis layers are frozen."""
        return super().train(False)

    def __repr__(self) -> str:
        return (
            f"Supernet({' + '.join(self.names)}: {len(self.matching)} matches, "
            f"{len(self.cardinalities)} switches)"
        )

    def save(self, folder: Path | str) -> None:
        """Write networks, matching, stitches and reports into a new folder."""
        matching, averaging = self.matching, self.averaging
        document = {
            "names": list(self.names),
            "matches": [list(match.points) for match in matching],
            "directions": matching.directions,
            "weight": matching.weight,
            "upper_bound": matching.upper_bound,
            "method": matching.method,
            "outputs": [list(subset) for subset in self.board.outputs],
            "ensemble": {"rule": averaging.rule, "weights": averaging.weights},
            "fitted": self.fitted,
            "exits": self._exit_set.to_json(),
        }
        files = SupernetFiles(
            stitches=self.stitch_weights(),
            exits=self.exit_weights(),
            fit=self.fit_report,
            refine=self.refine_report,
            exit_fit=self.exit_report,
        )
        write_supernet(as_path(folder), document, self.basis_networks, files)

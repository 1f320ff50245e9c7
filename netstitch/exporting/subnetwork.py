"""A subnetwork as it is exported: graph, weights and module, and the program traced from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, fx, nn

from netstitch.errors import ExportError
from netstitch.fitting import Batch
from netstitch.networks.folding import BATCH_NORM, fold
from netstitch.networks.graph import Graph
from netstitch.networks.staged import THRESHOLD, StagedGraph
from netstitch.networks.staged_module import build_any_module
from netstitch.networks.staged_norms import folded_stages, with_sums_behind_decisions
from netstitch.stitching.cascade import Cascade
from netstitch.stitching.exit import Exit
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.cascade_parts import check_not_recalibrated, staged_graph
from netstitch.supernet.supernet import Supernet
from netstitch.threads import quiet

TRACE_BATCH = 2
"""The batch size of the trace; exporters treat 0 and 1 as constants."""

OutputsByKey = dict[str | None, Tensor]
"""Tensors by output key; the key is None where the output is one tensor."""


@dataclass(frozen=True)
class Subnetwork:
    """A subnetwork or cascade on the CPU, in evaluation mode, its weights contiguous and its own.

    The example (TRACE_BATCH, ...) is the input it is traced with.
    """

    graph: Graph | StagedGraph
    weights: Mapping[str, Tensor]
    example: Tensor

    @cached_property
    def module(self) -> fx.GraphModule:
        """A plain PyTorch module of the same."""
        return build_any_module(self.graph, self.weights)

    @cached_property
    def program(self) -> torch.export.ExportedProgram:
        """The module traced with a free batch size; traced once for all formats."""
        batch = torch.export.Dim("batch")
        module = self.module
        if isinstance(self.graph, StagedGraph):
            module = build_any_module(*with_sums_behind_decisions(self.graph, self.weights))
        with quiet(), torch.no_grad():
            return torch.export.export(module, (self.example,), dynamic_shapes=({0: batch},))

    def __call__(self, inputs: Tensor, thresholds: Tensor | None = None) -> OutputsByKey:
        """Return the outputs for a batch; see `run_module`."""
        with torch.no_grad():
            return run_module(self.module, inputs, thresholds)

    @property
    def batch_norms(self) -> int:
        """The number of its batch norms."""
        return sum(node.operation == BATCH_NORM for node in self.graph.nodes)

    def folded(self) -> "Subnetwork":
        """Return the same with batch norms folded where other layers carry them."""
        if isinstance(self.graph, StagedGraph):
            return Subnetwork(*folded_stages(self.graph, self.weights), self.example)
        return Subnetwork(*fold(self.graph, self.weights), self.example)


def take_subnetwork(
    supernet: Supernet,
    chosen: Genotype | Exit | Cascade,
    example: Tensor | None = None,
    recalibrate: Iterable[Batch] | None = None,
    output: str | None = None,
) -> Subnetwork:
    """Return a genotype's subnetwork, an exit or a cascade, ready to be written; see `export`."""
    graph: Graph | StagedGraph
    if isinstance(chosen, Cascade):
        check_not_recalibrated(recalibrate)
        graph, tensors = staged_graph(supernet, chosen, output)
    else:
        graph, tensors = supernet.subnetwork_graph(chosen, recalibrate)
    weights = {key: _own(tensor) for key, tensor in tensors.items()}
    return Subnetwork(graph, weights, random_inputs(graph, TRACE_BATCH, example))


def random_inputs(graph: Graph | StagedGraph, batch: int, example: Tensor | None = None) -> Tensor:
    """Return (batch, ...) normal noise in the shape of the graph's input, equal at every call.

    Mean and standard deviation are 0 and 1, or those of an example (n, ...). Its values are not
    used: files carry the inputs of their trace, and data may be private.

    Raises:
        ExportError: Where the example does not have the input's shape, or is not finite.
    """
    shape = tuple(size for size in (graph.input.shape or ())[1:] if isinstance(size, int))
    dtype = getattr(torch, graph.input.dtype or "float32")
    noise = torch.randn((batch, *shape), generator=torch.Generator().manual_seed(batch))
    if example is not None:
        is_tensor = isinstance(example, Tensor)
        if not is_tensor or tuple(example.shape[1:]) != shape or example.numel() < 2:
            kind = type(example).__name__
            found = f"has shape {tuple(example.shape)}" if is_tensor else f"is a {kind}"
            expected = f"expected a tensor of inputs (n, {', '.join(map(str, shape))})"
            raise ExportError(f"the example {found}; {expected}")
        values = example.detach().to("cpu", torch.float32)
        if not torch.isfinite(values).all():
            raise ExportError("the example holds NaN or infinity; give finite inputs")
        noise = values.mean() + values.std() * noise
    return noise.to(dtype)


def run_module(module: nn.Module, inputs: Tensor, thresholds: Tensor | None = None) -> OutputsByKey:
    """Return a module's outputs by key; those of a cascade with other thresholds where given."""
    if thresholds is None:
        return by_key(module(inputs))
    buffer = module.get_buffer(THRESHOLD)
    own = buffer.clone()
    buffer.copy_(thresholds)
    try:
        return by_key(module(inputs))
    finally:
        buffer.copy_(own)


def by_key(output: Tensor | Mapping[str | None, Tensor]) -> OutputsByKey:
    """Return a module's output, a tensor or a dictionary of tensors, by key."""
    return {None: output} if isinstance(output, Tensor) else dict(output)


def _own(tensor: Tensor) -> Tensor:
    """Return a contiguous copy on the CPU: no memory layout chosen for this machine."""
    copy = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
    return nn.Parameter(copy) if isinstance(tensor, nn.Parameter) else copy

"""What is exported: a subnetwork's graph, weights and module, and the program traced from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, fx, nn

from netstitch.errors import ExportError, FittingError
from netstitch.fitting import Batch, recalibrated
from netstitch.networks.graph import Graph
from netstitch.networks.inputs import fitting_batches
from netstitch.networks.module import build_module
from netstitch.stitching.reachability import Genotype
from netstitch.supernet.supernet import Supernet
from netstitch.threads import quiet

TRACE_BATCH = 2
"""Batch size of the trace; exporters treat 0 and 1 as constants."""

Outputs = dict[str | None, Tensor]
"""Tensors by output key; the key is None where the output is one tensor."""


@dataclass(frozen=True)
class Subnetwork:
    """A subnetwork on the CPU, in evaluation mode, its weights contiguous and its own.

    graph, weights: what it computes, and tensors by key.
    module: a plain PyTorch module of the same.
    example: (TRACE_BATCH, ...) the input it is traced with.
    """

    graph: Graph
    weights: Mapping[str, Tensor]
    module: fx.GraphModule
    example: Tensor

    @cached_property
    def program(self) -> torch.export.ExportedProgram:
        """The module traced with a free batch size; traced once for all formats."""
        batch = torch.export.Dim("batch")
        with quiet(), torch.no_grad():
            return torch.export.export(self.module, (self.example,), dynamic_shapes=({0: batch},))

    def __call__(self, inputs: Tensor) -> Outputs:
        with torch.no_grad():
            return by_key(self.module(inputs))


def take_subnetwork(
    supernet: Supernet,
    genotype: Genotype,
    example: Tensor | None = None,
    recalibrate: Iterable[Batch] | None = None,
) -> Subnetwork:
    """The subnetwork of a genotype, ready to be written.

    example: inputs (n, ...) whose mean and spread the trace's and the check's inputs take.
    recalibrate: inputs that batch norms take their statistics from; see `recalibrated`.
    """
    graph, tensors = supernet.subnetwork_graph(genotype)
    if recalibrate is not None:
        batches = fitting_batches(supernet.graphs, recalibrate, FittingError)
        tensors = recalibrated(graph, tensors, batches)
    weights = {key: _own(tensor) for key, tensor in tensors.items()}
    module = build_module(graph, weights)
    return Subnetwork(graph, weights, module, random_inputs(graph, TRACE_BATCH, example))


def random_inputs(graph: Graph, batch: int, example: Tensor | None = None) -> Tensor:
    """(batch, ...) normal noise in the shape of the graph's input, equal at every call.

    example: inputs (n, ...) whose mean and standard deviation to take instead of 0 and 1. Its
        values are not used: files carry the inputs of their trace, and data may be private.

    Raises ExportError when the example does not have the input's shape, or is not finite.
    """
    shape = tuple(size for size in (graph.input.shape or ())[1:] if isinstance(size, int))
    dtype = getattr(torch, graph.input.dtype or "float32")
    noise = torch.randn((batch, *shape), generator=torch.Generator().manual_seed(batch))
    if example is not None:
        if not isinstance(example, Tensor):
            raise ExportError(
                f"the example is a {type(example).__name__}; expected a tensor, a batch of inputs "
                f"(n, {', '.join(map(str, shape))})"
            )
        if tuple(example.shape[1:]) != shape or example.numel() < 2:
            raise ExportError(
                f"the example has shape {tuple(example.shape)}; expected a batch of inputs "
                f"(n, {', '.join(map(str, shape))})"
            )
        values = example.detach().to("cpu", torch.float32)
        if not torch.isfinite(values).all():
            raise ExportError("the example holds NaN or infinity; give finite inputs")
        noise = values.mean() + values.std() * noise
    return noise.to(dtype)


def by_key(output: Any) -> Outputs:
    """A module's output, a tensor or a dictionary of tensors, by key."""
    return {None: output} if isinstance(output, Tensor) else dict(output)


def _own(tensor: Tensor) -> Tensor:
    """A contiguous copy on the CPU: a memory layout chosen for this machine is not exported."""
    copy = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
    return nn.Parameter(copy) if isinstance(tensor, nn.Parameter) else copy

"""Batch norms whose statistics are those of the subnetwork that they stand in.

A batch norm keeps the mean and variance that its inputs had in the network it was trained in.
Behind a stitch the inputs are others, and what the norm gives is shifted and scaled. One pass over
inputs, labels not needed, measures them anew (as Jordan, Sedghi, Saukh, Entezari and Neyshabur do
for merged networks: "REPAIR: REnormalizing Permuted Activations for Interpolation Repair", 2023).

What a norm reads depends on the norms before it. In the one pass each batch is normalised with its
own statistics, and those of all batches are pooled. The exact way, one pass for each layer of
norms, fixes a norm before those behind it are measured. On twelve stitched subnetworks of the demo
(1 to 8 stitches by least squares, 4,096 images) they agree: variances within 2 % at batches of 64
and 0.6 % at 256, and a mean accuracy of 84.9 to 85.0 % either way and at any batch size from 16 on,
up from 72.2 %. A thousand images give 84.9 % too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import torch
from torch import Tensor

from netstitch.errors import FittingError
from netstitch.files.alignment import aligned, aligned_weights
from netstitch.fitting.feature_stream import Batch, check_finite, inputs
from netstitch.fitting.moments import MeanVariance
from netstitch.networks.folding import BATCH_NORM
from netstitch.networks.graph import INPUT, WEIGHT, Graph, Node, Ref
from netstitch.networks.inputs import check_inputs
from netstitch.networks.interpreter import make_interpreter
from netstitch.networks.module import Weights, ancestors
from netstitch.networks.operations import resolve

STITCHES = "stitches."
"""Beginning of the keys of the stitches' weights."""

SMALLEST = 32
"""Samples; smaller batches are joined, since their own statistics would say too little."""

Kept = tuple[str, str]
"""The keys of a running mean and of a running variance."""


def batch_norms(graph: Graph) -> dict[str, Kept]:
    """Return the batch norms that keep statistics, by node name, with their statistics' keys.

    Two nodes may share them, where a model uses one layer twice. Norms without statistics, layer
    and group norms are left out, and batch norms whose statistics anything else reads.
    """
    paths = {node.name: node.path for node in graph.nodes if node.operation == WEIGHT}
    found: dict[str, Kept] = {}
    elsewhere: set[str] = set()
    for node in graph.nodes:
        read = [name for name in node.inputs if name in paths]
        if node.operation == BATCH_NORM and node.args[5] is False:
            kept = [each.name for each in node.args[3:5] if isinstance(each, Ref)]
            if len(kept) == 2 and paths.keys() >= set(kept):
                found[node.name] = paths[kept[0]], paths[kept[1]]
                read = [name for name in read if name not in kept]
        elsewhere.update(paths[name] for name in read)
    return {name: keys for name, keys in found.items() if elsewhere.isdisjoint(keys)}


def stitched_norms(graph: Graph) -> dict[str, Kept]:
    """Return the batch norms of `batch_norms` that any stitch stands before.

    The others read what they read in training, and their statistics of all the training data are
    better than any that few inputs give. A norm used twice counts where one of its uses does.
    """
    behind: set[str] = set()
    for node in graph.nodes:
        stitch = node.operation == WEIGHT and node.path.startswith(STITCHES)
        if stitch or not behind.isdisjoint(node.inputs):
            behind.add(node.name)
    norms = batch_norms(graph)
    changed = {keys for name, keys in norms.items() if name in behind}
    return {name: keys for name, keys in norms.items() if keys in changed}


def recalibrated(
    graph: Graph,
    weights: Weights,
    batches: Iterable[Batch],
    *,
    norms: Mapping[str, Kept] | None = None,
) -> dict[str, Tensor]:
    """Return the weights with batch-norm statistics measured on what flows through this graph.

    The variance is that of the pooled inputs, as a batch norm in training divides by it. A layer
    used twice gets the statistics of both uses. Where there is no such norm nothing is read.

    Args:
        graph: Of a subnetwork, as `Supernet.subnetwork_graph` gives it.
        weights: Its weights by key.
        batches: Inputs (batch, ...), or tuples that start with them; read once. A few hundred
            images are enough.
        norms: Which to measure, of those in `batch_norms`; by default those behind a stitch.

    Returns:
        All weights by key: the statistics are new tensors that share no memory with the given
        ones, everything else is what was given.

    Raises:
        FittingError: There are no inputs, or fewer than two observations of a channel; inputs are
            not finite or of another shape than the graph's, or make a norm's input infinite.
    """
    norms = stitched_norms(graph) if norms is None else norms
    if not norms:
        return dict(weights)
    statistics = {keys: MeanVariance() for keys in norms.values()}
    where = ""

    def measuring(node: Node) -> Callable[..., Tensor]:
        """Return a batch norm that normalises by its input's statistics and records them."""

        def normalised(values: Tensor, *args: object) -> Tensor:
            count, mean, variance = _own_statistics(node, values, where)
            statistics[norms[node.name]].merge(count, mean, variance)
            normalise: Callable[..., Tensor] = resolve(BATCH_NORM)
            return normalise(values, *args[:2], mean, variance, *args[4:])

        return normalised

    needed = ancestors(graph, list(norms))
    nodes = tuple(n for n in graph.nodes if n.name in needed or n.operation == INPUT)
    interpreter = make_interpreter(
        Graph(nodes, ()),
        aligned_weights(weights),
        functions={name: measuring(graph.by_name[name]) for name in norms},
    )
    device = next(iter(weights.values())).device
    with torch.no_grad():
        for where, values in _joined(_checked(graph, batches)):  # noqa: B007
            interpreter.run([values.to(device)])
    if not next(iter(statistics.values())).count:
        raise FittingError("the batches hold no samples: give at least one batch of inputs")
    new = dict(weights)
    for (mean, variance), found in statistics.items():
        for key, value in ((mean, found.mean), (variance, found.variance)):
            new[key] = value.to(weights[key].device, weights[key].dtype)
    return new


def _checked(graph: Graph, batches: Iterable[Batch]) -> Iterator[tuple[int, Tensor]]:
    for number, values in inputs(batches):
        check_inputs([graph], values.shape, f"batch {number}", FittingError)
        check_finite({}, values, f"batch {number}")
        yield number, aligned(values.to(getattr(torch, graph.input.dtype or "float32")))


def _joined(batches: Iterable[tuple[int, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    """Yield batches of SMALLEST samples or more, and their names; fewer where there are no more.

    The last one may be short, so one is always held back for it.
    """
    ready: list[Tensor] = []
    pending: list[Tensor] = []
    last = number = 0
    for number, values in batches:
        pending.append(values)
        if sum(map(len, pending)) >= SMALLEST:
            if ready:
                yield f"batch {last}", torch.cat(ready)
            ready, pending, last = pending, [], number
    if ready or pending:
        yield f"batch {number}", torch.cat([*ready, *pending])


def _own_statistics(node: Node, values: Tensor, where: str) -> tuple[int, Tensor, Tensor]:
    """Return the observations of each channel of (batch, channels, ...), means and variances."""
    axes = [axis for axis in range(values.dim()) if axis != 1]
    count = values.numel() // values.shape[1]
    if count < 2:
        raise FittingError(
            f"batch norm '{node.path}' reads one value for each channel: expected two samples or "
            "more to measure a variance; give more samples"
        )
    variance, mean = torch.var_mean(values, axes, correction=0)
    if not (mean.isfinite().all() and variance.isfinite().all()):
        raise FittingError(
            f"batch norm '{node.path}' reads NaN or infinity on {where}: check how the inputs are "
            "normalised, and the stitches before it"
        )
    return count, mean, variance

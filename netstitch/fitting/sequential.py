"""Least squares again, on inputs that come through other stitches.

`fit_least_squares` fits each stitch on original features. In a subnetwork with several stitches,
the later ones read what the earlier ones made, errors included, and pass them on. Here each stitch
is fitted once more, on its source's values in random subnetworks beside the original ones, with
its target's original values to aim at: a map that also corrects what usually comes. Stitches before
it change in the same pass, so there are a few passes. It costs no gradient and needs no labels.
"""

from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from netstitch.errors import FittingError
from netstitch.fitting.held_out import held_out_errors
from netstitch.fitting.layers import bias_of, write_layers
from netstitch.fitting.least_squares import HELD_OUT, fit_least_squares, match_groups, plan_passes
from netstitch.fitting.moments import Moments, rows
from netstitch.fitting.refinement.draws import scattered
from netstitch.fitting.refinement.joined import Joined
from netstitch.fitting.report import FitReport, StitchFit
from netstitch.fitting.solve import solve
from netstitch.fitting.stream import Batch, Progress, check_finite, inputs, places, split
from netstitch.networks.graph import Graph, Ref
from netstitch.networks.plan import Key, content_keys, execute, make_plan
from netstitch.stitching.wiring import Genotype

FEWEST, MOST = 2.0, 8.0
"""Stitches expected to be chosen in a subnetwork."""


def fit_sequential(
    joined: Joined,
    layers: Sequence[nn.Linear | nn.Conv2d],
    batches: Iterable[Batch],
    *,
    passes: int = 2,
    subnetworks: int = 8,
    ridge: float | str = HELD_OUT,
    memory_budget: int = 2_000_000_000,
    holdout: float = 0.125,
    seed: int = 0,
    progress: Progress | None = None,
) -> FitReport:
    """Fit all stitches by least squares, then refit them on inputs through other stitches.

    joined: the supernet. layers: one per stitch, written only once all is computed.
    batches: inputs (batch, ...), or tuples that start with them; passed over several times.
    passes: of refitting, after the first fit. subnetworks: random ones that each batch flows
        through. ridge, memory_budget, holdout: as for `fit_least_squares`; a ridge chosen there is
        kept. seed: of the subnetworks.
    progress: called after every batch with batches done, batches in all, and a line of text.

    The reported errors are those on original features, which passes trade for behaviour behind
    other stitches. Raises as `fit_least_squares` does, the layers being then as they were.
    """
    begin = perf_counter()
    _check_settings(passes, subnetworks, batches)
    new = _copies(joined, layers)
    first = fit_least_squares(
        joined.stitches,
        new,
        joined.features,
        batches,
        ridge=ridge,
        memory_budget=memory_budget,
        holdout=holdout,
        progress=progress,
    )
    ridges = [row.ridge if row.ridge is not None else 0.0 for row in first.rows]
    for number in range(passes):
        generator = np.random.default_rng([seed, number])
        genotypes = _Draws(joined, generator, subnetworks)
        text = f"sequential least squares, pass {number + 1} of {passes}"
        maps: dict[int, tuple[Tensor, Tensor]] = {}
        for groups in plan_passes(match_groups(joined.stitches, parts=1), memory_budget):
            chosen = sorted(member for group in groups for member in group.members)
            moments = _gather(joined, new, chosen, batches, holdout, genotypes, text, progress)
            for stitch, each in moments.items():
                best = solve(each, 0, 1, ridges[stitch])
                maps[stitch] = best.weight.float(), best.bias.float()
        write_layers(new, [maps[stitch] for stitch in range(len(new))])
    held = (values[indices] for values, (_, indices) in _parts(batches, holdout))
    errors = held_out_errors(joined.stitches, new, joined.features, held)
    write_layers(layers, [(layer.weight, bias_of(layer)) for layer in new])
    return FitReport(
        method="sequential",
        settings={
            "passes": passes,
            "subnetworks": subnetworks,
            "ridge": ridge,
            "memory_budget": memory_budget,
            "holdout": holdout,
            "seed": seed,
        },
        samples=first.samples * (1 + passes),
        held_out=first.held_out,
        seconds=perf_counter() - begin,
        rows=tuple(
            StitchFit(row.match, row.source, row.target, error, row.ridge)
            for row, error in zip(first.rows, errors, strict=True)
        ),
    )


def _check_settings(passes: int, subnetworks: int, batches: Iterable[Batch]) -> None:
    if passes < 1:
        raise FittingError(f"passes is {passes}: expected 1 or more, or method 'least-squares'")
    if subnetworks < 1:
        raise FittingError(f"subnetworks is {subnetworks}: expected 1 or more")
    if isinstance(batches, Iterator):
        raise FittingError(
            "sequential least squares reads the batches several times: give a list or a data loader"
        )


def _copies(joined: Joined, layers: Sequence[nn.Linear | nn.Conv2d]) -> list[nn.Linear | nn.Conv2d]:
    """Layers to fit in place of the given ones, on their devices."""
    return [
        stitch.layer().to(layer.weight.device)
        for stitch, layer in zip(joined.stitches, layers, strict=True)
    ]


def _parts(
    batches: Iterable[Batch], holdout: float
) -> Iterator[tuple[Tensor, tuple[Tensor, Tensor]]]:
    """Inputs of each batch, with the indices fitted on and held out."""
    seen = 0
    for _, values in inputs(batches):
        train, held = split(seen, len(values), holdout)
        seen += len(values)
        yield values, (train.to(values.device), held.to(values.device))


class _Draws:
    """The genotypes of each batch: the same ones, however often a pass reads the batches."""

    def __init__(self, joined: Joined, generator: np.random.Generator, count: int) -> None:
        self._joined, self._generator, self._count = joined, generator, count
        self._drawn: list[list[Genotype]] = []

    def of(self, batch: int) -> list[Genotype]:
        even = np.full(len(self._joined.stitches), 1 / len(self._joined.stitches))
        while len(self._drawn) <= batch:
            expected = self._generator.uniform(FEWEST, MOST, self._count)
            self._drawn.append(
                [scattered(self._joined, self._generator, float(each), even) for each in expected]
            )
        return self._drawn[batch]


def _gather(
    joined: Joined,
    layers: Sequence[nn.Linear | nn.Conv2d],
    chosen: Sequence[int],
    batches: Iterable[Batch],
    holdout: float,
    genotypes: _Draws,
    text: str,
    progress: Progress | None,
) -> dict[int, Moments]:
    """Moments of (source, target) of the chosen stitches; sources original, and as they come.

    Sources that no stitch stands before in a subnetwork are the original ones: they count once.
    """
    stitches = joined.stitches
    wanted = places(stitches[index] for index in chosen)
    weights = _weights(joined, layers)
    moments = {
        index: Moments([stitches[index].inputs, stitches[index].outputs], [(0, 1)])
        for index in chosen
    }
    with torch.inference_mode():
        originals = frozenset(
            key
            for genotype in joined.references().values()
            for key in content_keys(joined.pruned_graph(genotype)).values()
        )
        for number, (values, (train, _)) in enumerate(_parts(batches, holdout)):
            values = values[train]
            if not len(values):
                continue
            found = dict(zip(wanted, joined.features(values, wanted), strict=True))
            check_finite(found, values, f"batch {number + 1}")
            through = _through(joined, weights, chosen, genotypes.of(number), values, originals)
            for index, each in moments.items():
                stitch = stitches[index]
                for source in (found[stitch.source], *through.get(index, ())):
                    if source.isfinite().all():
                        each.add([_rows(source), _rows(found[stitch.target])])
            if progress is not None:
                progress(number + 1, None, text)
    return moments


def _through(
    joined: Joined,
    weights: dict[str, Tensor],
    chosen: Sequence[int],
    genotypes: Sequence[Genotype],
    values: Tensor,
    originals: frozenset[Key],
) -> dict[int, list[Tensor]]:
    """What stitches read in subnetworks, where other stitches stand before them."""
    stitch_at = {f"{path}.weight": index for index, path in enumerate(joined.stitch_paths())}
    sources: dict[int, list[Key]] = {}
    graphs = [joined.pruned_graph(genotype) for genotype in genotypes]
    for graph in graphs:
        keys = content_keys(graph)
        for index, source in _read(graph, stitch_at):
            if index in chosen and keys[source] not in originals:
                sources.setdefault(index, []).append(keys[source])
    if not sources:
        return {}
    distinct = {index: list(dict.fromkeys(keys)) for index, keys in sources.items()}
    device = next(iter(weights.values())).device
    batch = _arranged(values.to(device))
    kept = [key for keys in distinct.values() for key in keys]
    found = execute(make_plan(graphs, weights), batch, {}, kept)
    return {index: [found[key] for key in keys] for index, keys in distinct.items()}


def _read(graph: Graph, stitch_at: dict[str, int]) -> Iterator[tuple[int, str]]:
    """The stitches of a subnetwork, and the nodes that they read."""
    for node in graph.nodes:
        if len(node.args) == 3 and isinstance(node.args[1], Ref) and isinstance(node.args[0], Ref):
            index = stitch_at.get(graph.by_name[node.args[1].name].path)
            if index is not None:
                yield index, node.args[0].name


def _weights(joined: Joined, layers: Sequence[nn.Linear | nn.Conv2d]) -> dict[str, Tensor]:
    """All tensors by path, those of the stitches from the layers, laid out like the activations."""
    found = dict(joined.tensors())
    for path, layer in zip(joined.stitch_paths(), layers, strict=True):
        found[f"{path}.weight"], found[f"{path}.bias"] = layer.weight, bias_of(layer)
    return {path: _arranged(tensor.detach()) for path, tensor in found.items()}


def _arranged(tensor: Tensor) -> Tensor:
    return tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _rows(values: Tensor) -> Tensor:
    return rows(values, torch.arange(len(values), device=values.device))

"""Least squares again, on inputs that come through other stitches.

`fit_least_squares` fits each stitch on original features. In a subnetwork with several stitches,
the later ones read what the earlier ones made, errors included, and pass them on. Here each stitch
is fitted once more, on its source's values in random subnetworks beside the original ones, with
its target's original values to aim at: a map that also corrects what usually comes. Stitches before
it change in the same pass, so there are a few passes. It costs no gradient and needs no labels.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from netstitch.alignment import aligned
from netstitch.errors import FittingError
from netstitch.fitting.held_out import held_out_errors
from netstitch.fitting.layers import bias_of, write_layers
from netstitch.fitting.least_squares import (
    HELD_OUT,
    Group,
    fit_least_squares,
    plan_passes,
)
from netstitch.fitting.moments import POSITIONS, Moments, moments_bytes, needs_precise, rows
from netstitch.fitting.refinement.draws import scattered
from netstitch.fitting.refinement.joined import Joined
from netstitch.fitting.report import FitReport, StitchFit
from netstitch.fitting.solve import solve
from netstitch.fitting.stream import (
    Batch,
    Progress,
    check_finite,
    cut,
    image_bytes,
    inputs,
    places,
    split,
)
from netstitch.networks.graph import Graph, Ref
from netstitch.networks.plan import Key, Plan, content_keys, execute, make_plan, peak_bytes
from netstitch.stitching.stitch import Stitch
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
    positions: int = POSITIONS,
    seed: int = 0,
    progress: Progress | None = None,
) -> FitReport:
    """Fit all stitches by least squares, then refit them on inputs through other stitches.

    joined: the supernet. layers: one per stitch, written only once all is computed.
    batches: inputs (batch, ...), or tuples that start with them; passed over several times.
    passes: of refitting, after the first fit. subnetworks: random ones that each batch flows
        through. ridge, memory_budget, holdout, positions: as for `fit_least_squares`; a ridge
        chosen there is kept, and the values of the subnetworks count as features. seed: of the
        subnetworks.
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
        positions=positions,
        progress=progress,
    )
    ridges = [row.ridge if row.ridge is not None else 0.0 for row in first.rows]
    for number in range(passes):
        generator = np.random.default_rng([seed, number])
        genotypes = _Draws(joined, generator, subnetworks)
        report = _reporter(progress, f"sequential least squares, pass {number + 1} of {passes}")
        maps: dict[int, tuple[Tensor, Tensor]] = {}
        for groups in plan_passes(_alone(joined.stitches), memory_budget):
            own = {index: ridges[index] for group in groups for index in group.members}
            maps |= _refit(
                joined, new, own, batches, holdout, genotypes, memory_budget, positions, report
            )
        write_layers(new, [maps[stitch] for stitch in range(len(new))])
    held = (
        part
        for values, (_, indices) in _parts(batches, holdout)
        for part in cut(values[indices], image_bytes(joined.stitches), memory_budget)
    )
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
            "positions": positions,
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


def _reporter(progress: Progress | None, text: str) -> Callable[[int], None]:
    """Turns the batches done in a pass into a call of `progress`."""
    if progress is None:
        return lambda done: None
    return lambda done: progress(done, None, text)


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


def _alone(stitches: Sequence[Stitch]) -> list[Group]:
    """Every stitch as a group: what others stand before it makes its moments its own."""
    return [
        Group(s.match, (index,), (s.source, s.target), (s.inputs, s.outputs), ((0, 1),), _bytes(s))
        for index, s in enumerate(stitches)
    ]


def _moments(stitch: Stitch, ridge: float) -> Moments:
    """Of (source, target), what `solve` reads: the target's product with itself is not kept."""
    widths = [stitch.inputs, stitch.outputs]
    return Moments(widths, [(0, 1)], own=[0], precise=needs_precise(ridge))


def _bytes(stitch: Stitch) -> int:
    return moments_bytes([stitch.inputs, stitch.outputs], [(0, 1)], own=[0])


def _refit(
    joined: Joined,
    layers: Sequence[nn.Linear | nn.Conv2d],
    ridges: Mapping[int, float],
    batches: Iterable[Batch],
    holdout: float,
    genotypes: _Draws,
    memory_budget: int,
    positions: int,
    report: Callable[[int], None],
) -> dict[int, tuple[Tensor, Tensor]]:
    """Weight and bias of each stitch that a ridge is given for, from one pass over the batches.

    The moments are those of (source, target), with sources original and as they come.
    """
    stitches = joined.stitches
    moments = {index: _moments(stitches[index], ridge) for index, ridge in ridges.items()}
    weights = _weights(joined, layers)
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
            through = _through(joined, weights, ridges, genotypes.of(number), originals)
            bytes_of_one = image_bytes(stitches[index] for index in ridges) + through.bytes
            for part in cut(values, bytes_of_one, memory_budget):
                _add(moments, joined, through, part, positions, number + 1)
            report(number + 1)
    solved = {index: solve(each, 0, 1, ridges[index]) for index, each in moments.items()}
    return {index: (best.weight.float(), best.bias.float()) for index, best in solved.items()}


@dataclass(frozen=True)
class _Through:
    """What stitches read in some subnetworks, where other stitches stand before them.

    plan: computes these subnetworks; None where there is nothing of the kind. keys: what each
    stitch reads, by its index. bytes: held for one image, about. device: of the weights.
    """

    plan: Plan | None
    keys: Mapping[int, Sequence[Key]]
    bytes: int
    device: torch.device

    def sources(self, values: Tensor) -> dict[int, list[Tensor]]:
        """The values that the stitches read for a batch of inputs."""
        if self.plan is None:
            return {}
        kept = [key for keys in self.keys.values() for key in keys]
        found = execute(self.plan, _arranged(values.to(self.device)), {}, kept)
        return {index: [found[key] for key in keys] for index, keys in self.keys.items()}


def _through(
    joined: Joined,
    weights: dict[str, Tensor],
    chosen: Collection[int],
    genotypes: Sequence[Genotype],
    originals: frozenset[Key],
) -> _Through:
    """What the chosen stitches read in subnetworks.

    Sources that no stitch stands before are the original ones, and left out: they count once.
    """
    stitch_at = {f"{path}.weight": index for index, path in enumerate(joined.stitch_paths())}
    sources: dict[int, dict[Key, None]] = {}
    graphs = [joined.pruned_graph(genotype) for genotype in genotypes]
    for graph in graphs:
        keys = content_keys(graph)
        for index, source in _read(graph, stitch_at):
            if index in chosen and keys[source] not in originals:
                sources.setdefault(index, {})[keys[source]] = None
    device = next(iter(weights.values())).device
    if not sources:
        return _Through(None, {}, 0, device)
    sizes = {
        key: 4 * joined.stitches[index].inputs * joined.stitches[index].positions
        for index, keys in sources.items()
        for key in keys
    }
    plan = make_plan(graphs, weights)
    return _Through(
        plan,
        {index: list(keys) for index, keys in sources.items()},
        sum(sizes.values()) + peak_bytes(plan),
        device,
    )


def _add(
    moments: Mapping[int, Moments],
    joined: Joined,
    through: _Through,
    values: Tensor,
    positions: int,
    number: int,
) -> None:
    """Take in some inputs of batch `number`.

    A function of its own, so that features are let go before the next ones are read.
    """
    stitches = joined.stitches
    wanted = places(stitches[index] for index in moments)
    found = dict(zip(wanted, joined.features(values, wanted), strict=True))
    check_finite(found, values, f"batch {number}")
    every = torch.arange(len(values), device=next(iter(found.values())).device)
    sources = through.sources(values)
    for index, each in moments.items():
        stitch = stitches[index]
        for source in (found[stitch.source], *sources.get(index, ())):
            if source.isfinite().all():
                both = (source, found[stitch.target])
                each.add([rows(value, every, positions, number) for value in both])


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
    return aligned(tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor)

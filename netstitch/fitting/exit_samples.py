"""The samples that exits are fitted on: features of points, and the ensemble's probabilities."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from netstitch.errors import FittingError
from netstitch.files.alignment import aligned, aligned_weights
from netstitch.fitting.feature_stream import Batch, check_finite, cut, inputs, split
from netstitch.networks.graph import INPUT, Graph, Node, Ref
from netstitch.networks.interpreter import Interpreter, make_interpreter
from netstitch.stitching.exit_graph import (
    ExitOutput,
    PointRef,
    add_beginnings,
    add_features,
    point_features,
)
from netstitch.stitching.stitch import FeatureRef
from netstitch.stitching.structure import Structure
from netstitch.stitching.subgraph import Averaging, NodeList

WORKING = 1_000_000_000
"""Bytes of activations of all networks that are held at once, about."""


@dataclass(frozen=True)
class EnsembleTeacher:
    """The basis networks, and how their outputs are averaged to what exits should put out.

    Attributes:
        structure: Of the supernet.
        output: The output that exits stand for.
        averaging: The forming of the ensemble.
        tensors: Of the networks, by the keys that subnetworks give them.
    """

    structure: Structure
    output: ExitOutput
    averaging: Averaging
    tensors: Mapping[str, Tensor]

    def probabilities(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return (n, classes) of the ensemble of all networks, from their outputs."""
        stacked = torch.stack([output.float() for output in outputs])
        shares = torch.tensor(self.averaging.shares(range(len(outputs)))).view(-1, 1, 1)
        if self.output.probabilities:
            mean = (shares * stacked.clamp(min=0)).sum(0)
            return mean / mean.sum(1, keepdim=True).clamp(min=1e-30)
        if self.averaging.rule == "probabilities":
            return (shares * stacked.softmax(2)).sum(0)
        return (shares * stacked).sum(0).softmax(1)


@dataclass(frozen=True)
class ExitSamples:
    """Features and targets of samples; a row for each sample, or for each position looked at.

    Attributes:
        features: (rows, features) of each point.
        targets: (rows, classes) probabilities.
        held: (rows,) bool: those of samples held out.
        samples: How many there are.
        held_out: How many of them are held out.
        whole: Whether all that were given are among them.
    """

    features: Mapping[PointRef, Tensor]
    targets: Tensor
    held: Tensor
    samples: int
    held_out: int
    whole: bool

    def joined(self, places: Sequence[PointRef]) -> Tensor:
        """Return (rows, features) of several points, one behind the other."""
        return torch.cat([self.features[place] for place in places], 1)


def read_samples(
    teacher: EnsembleTeacher,
    places: Sequence[PointRef],
    batches: Iterable[Batch],
    *,
    holdout: float,
    positions: int,
    memory_budget: int,
    pool: Executor,
    workers: int,
    progress: Callable[[int], None],
) -> ExitSamples:
    """Run the basis networks once on each batch, and return the features of points.

    Args:
        teacher: The networks.
        places: The points.
        batches: Inputs (batch, ...), or tuples that start with them.
        holdout: Share held out, spread evenly over the samples.
        positions: Looked at in each image, where outputs are maps.
        memory_budget: Bytes of features; samples beyond are not read.
        pool: Runs `workers` parts of batches side by side.
        workers: See `pool`.
        progress: Called with the number of each batch that was read.

    Raises:
        FittingError: Features or outputs are not finite.
    """
    reader = _NetworkRunner(teacher, places, positions)
    kept: list[list[Tensor]] = []
    held: list[Tensor] = []
    count = held_out = 0
    most = max(1, memory_budget // reader.row_bytes)
    whole = True
    parts = _parts(batches, reader.working_bytes, WORKING // workers)
    while whole and (group := list(islice(parts, workers))):
        starts = np.cumsum([count, *(len(values) for _, values in group)])[:-1]
        found = pool.map(reader, [values for _, values in group], starts.tolist())
        for (number, values), rows in zip(group, found, strict=True):
            reader.check(rows, values, f"batch {number}")
            taken = min(len(values), most - count)
            whole = taken == len(values)
            kept.append([each[: taken * reader.rows] for each in rows])
            _, chosen = split(count, taken, holdout)
            mask = torch.zeros(taken, dtype=torch.bool)
            mask[chosen] = True
            held.append(mask.repeat_interleave(reader.rows))
            count, held_out = count + taken, held_out + len(chosen)
            progress(number)
            if not whole:
                break
    if not kept:
        return ExitSamples({}, torch.empty(0, 0), torch.empty(0, dtype=torch.bool), 0, 0, True)
    # One by one, so that no more than one is there twice.
    *features, targets = [torch.cat([rows.pop(0) for rows in kept]) for _ in range(len(places) + 1)]
    by_place = dict(zip(places, features, strict=True))
    return ExitSamples(by_place, targets, torch.cat(held), count, held_out, whole)


def _parts(
    batches: Iterable[Batch], bytes_of_one: int, budget: int
) -> Iterator[tuple[int, Tensor]]:
    """Yield consecutive parts of batches that fit into memory, with the batches' numbers."""
    for number, values in inputs(batches):
        for part in cut(values, bytes_of_one, budget):
            yield number, part


class _NetworkRunner:
    """Runs the networks on inputs; rows: how many each sample has."""

    def __init__(
        self, teacher: EnsembleTeacher, places: Sequence[PointRef], positions: int
    ) -> None:
        self._teacher, self._places = teacher, places
        maps = teacher.output.of_maps
        self.rows = positions if maps else 1
        graph, names = _features_graph(teacher, places)
        self._counts = [len(each) for each in names]
        weights = aligned_weights(teacher.tensors)
        flat = [name for each in names for name in each]
        self._interpreter: Interpreter = make_interpreter(graph, weights, results=flat)
        self._device = next(iter(weights.values()), torch.zeros(0)).device
        points = [teacher.structure.graphs[owner].by_name[name] for owner, name in places]
        width = sum(point_features(teacher.output, point) for point in points)
        self.row_bytes = 4 * self.rows * (width + teacher.output.classes)
        self.working_bytes = self._interpreter.peak

    def __call__(self, values: Tensor, start: int) -> list[Tensor]:
        """Return (rows, features) of each place, and (rows, classes) of the targets.

        `start` is how many samples came before.
        """
        given = [aligned(values.to(self._device))]  # a part of a batch may begin anywhere
        with torch.inference_mode():
            if self._teacher.output.of_maps:
                given.append(self._grid(len(values), start).to(given[0]))
            found = iter(self._interpreter.run(given))
            rows = [torch.cat([self._rows(next(found)) for _ in range(n)], 1) for n in self._counts]
            count = len(self._places)
            return [*rows[:count], self._teacher.probabilities(rows[count:])]

    def _rows(self, value: Tensor) -> Tensor:
        """Return (rows, features) float32 on the CPU, of vectors or maps (n, c, positions, 1)."""
        if value.ndim == 4:
            value = value.movedim(1, -1).flatten(0, 2)
        return value.float().cpu()

    def _grid(self, count: int, start: int) -> Tensor:
        """Return (n, positions, 1, 2): places x, y of random pixels of the output, in -1 to 1."""
        _, height, width = self._teacher.output.shape
        drawn = [
            np.random.default_rng(sample).integers(height * width, size=self.rows)
            for sample in range(start, start + count)
        ]
        rows, columns = np.divmod(np.stack(drawn), width)
        places = [(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1]
        return torch.from_numpy(np.stack(places, -1)[:, :, None, :])

    def check(self, rows: Sequence[Tensor], values: Tensor, where: str) -> None:
        """Raise FittingError where features or targets of inputs are not finite."""
        refs = [FeatureRef(*place) for place in self._places]
        check_finite(dict(zip(refs, rows, strict=False)), values, where)
        if not rows[-1].isfinite().all():
            raise FittingError(
                f"the networks' outputs hold NaN or infinity on {where}: check the networks' "
                "weights and how the inputs are normalised"
            )


def _features_graph(
    teacher: EnsembleTeacher, places: Sequence[PointRef]
) -> tuple[Graph, list[tuple[str, ...]]]:
    """Return a graph of features and outputs, and the names of each point's, the outputs' last."""
    structure, output = teacher.structure, teacher.output
    ends = [
        (index, dict(graph.outputs)[output.key]) for index, graph in enumerate(structure.graphs)
    ]
    nodes = NodeList()
    made = add_beginnings(nodes, structure, [*places, *ends])
    names = [add_features(nodes, structure, output, place, made[place]) for place in places]
    names += [(made[end],) for end in ends]
    if output.of_maps:
        # Bilinear upsampling and a linear map of channels may change places: so a map is looked at
        # where the pixels of the output are.
        grid = nodes.append(Node("positions", INPUT))
        names = [(nodes.append(_sampled(name, grid)),) for [name] in names]
    return Graph(nodes.all, ()), names


def _sampled(name: str, grid: str) -> Node:
    """Return the values of maps at positions, between pixels by bilinear interpolation.

    That is as upsampling without aligned corners does it.
    """
    bilinear, border, aligned_corners = 0, 1, False
    args = (Ref(name), Ref(grid), bilinear, border, aligned_corners)
    return Node(f"{name}_sampled", "aten.grid_sampler_2d.default", args)

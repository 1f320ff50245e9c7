"""A model of what netstitch searches: two networks in a row of matches, with inactive variables.

Layers of both networks alternate with matches. Each match has two switches, 1 where a network's
next layer reads a stitch from the other network instead of its own; the last variable chooses the
output, of a network or of both (the paper's figure 3). From the output the layers in use are found
by walking back, so that most switches are inactive.

A layer adds to what is known of an image, at a cost. A stitch costs little, but adds an error that
grows with the error that is already there, and layers damp errors. Both networks together are as
good as in the mean, and better the fewer layers they share. Accuracy is in thousandths.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from netstitch.optimization import Genotype, Initialisation, Objective, Problem
from problems.case import Case, Genotypes, Values
from problems.exhaustive import CHUNK, front

SEED = 6
OUTPUTS = ((0,), (1,), (0, 1))
DAMPING, GROWTH, ENSEMBLE = 0.9, 2.0, 0.6


@dataclass(frozen=True, eq=False)
class Stitching:
    """All of shape (layers, 2), with a column for each network.

    costs, gains: of a layer. prices, errors: of the stitch behind a layer whose reader is in the
        column's network.
    """

    costs: np.ndarray
    gains: np.ndarray
    prices: np.ndarray
    errors: np.ndarray

    def values(self, genotypes: Genotypes) -> Values:
        both = [way_back(genotypes, output) for output in (0, 1)]
        scores = np.stack([self._score(way) for way in both])
        layers = np.stack([one_hot(way[:, :-1]) for way in both])
        stitches = np.stack([one_hot(way[:, 1:]) & stitched(way)[:, :, None] for way in both])
        own = (layers[0] != layers[1]).any(axis=2).mean(axis=1)
        used = np.array([[0 in output, 1 in output] for output in OUTPUTS]).T[:, genotypes[:, -1]]
        score = (scores * used).sum(axis=0) / used.sum(axis=0)
        score += ENSEMBLE * own * used.all(axis=0)
        cost = self._sum(layers, used, self.costs) + self._sum(stitches, used, self.prices)
        return np.column_stack([np.round(1000 / (1 + np.exp(-score))), cost])

    def _score(self, way: np.ndarray) -> np.ndarray:
        crossed = stitched(way)
        score, error = np.zeros(len(way)), np.zeros(len(way))
        for layer in range(len(self.costs)):
            score += self.gains[layer, way[:, layer]]
            added = self.errors[layer, way[:, layer + 1]] * (1 + GROWTH * error)
            error = DAMPING * (error + crossed[:, layer] * added)
        return score - error

    @staticmethod
    def _sum(parts: np.ndarray, used: np.ndarray, prices: np.ndarray) -> np.ndarray:
        """Return the cost of what either of the outputs in use needs, each once."""
        needed = (parts & used[:, :, None, None]).any(axis=0)
        total: np.ndarray = (needed * prices).sum(axis=(1, 2))
        return total


def way_back(genotypes: Genotypes, output: int) -> np.ndarray:
    """The network of each layer that a network's output depends on, shape (n, layers + 1).

    From the first layer to the last, and the network of the output itself.
    """
    count, layers = len(genotypes), genotypes.shape[1] // 2
    way = np.full((count, layers + 1), output)
    for layer in reversed(range(layers)):
        reader = way[:, layer + 1]
        way[:, layer] = reader ^ genotypes[np.arange(count), 2 * layer + reader]
    return way


def stitched(way: np.ndarray) -> np.ndarray:
    """Return whether there is a stitch behind each layer, shape (n, layers)."""
    crossed: np.ndarray = way[:, :-1] != way[:, 1:]
    return crossed


def one_hot(networks: np.ndarray) -> np.ndarray:
    """With an axis for the two networks at the end."""
    return networks[..., None] == np.arange(2)


def active(genotype: Genotype) -> np.ndarray:
    """The output's switch, and those on the way back from it."""
    found = np.zeros(len(genotype), dtype=bool)
    found[-1] = True
    for output in OUTPUTS[genotype[-1]]:
        way = way_back(genotype[None], output)[0]
        found[2 * np.arange(len(way) - 1) + way[1:]] = True
    return found


def signature(genotype: Genotype) -> bytes:
    """The values of the active switches."""
    return np.where(active(genotype), genotype, len(OUTPUTS)).astype(np.uint8).tobytes()


def one_of_each(layers: int) -> Iterator[Genotypes]:
    """A genotype for every signature: inactive switches are 0."""
    rows = np.zeros((len(OUTPUTS), 2 * layers + 1), dtype=np.int8)
    rows[:, -1] = np.arange(len(OUTPUTS))
    needed = np.array([[0 in output, 1 in output] for output in OUTPUTS])
    for layer in reversed(range(layers)):
        for reader in (0, 1):
            other = rows[needed[:, reader]].copy()
            other[:, 2 * layer + reader] = 1
            needed = np.concatenate([needed, needed[needed[:, reader]]])
            rows = np.concatenate([rows, other])
        crossed = rows[:, 2 * layer : 2 * layer + 2] == 1
        needed = (needed & ~crossed) | (needed & crossed)[:, ::-1]
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


def draw(layers: int) -> Stitching:
    """The first network is larger and better; which layers are worth their cost is random."""
    generator = np.random.default_rng(SEED)
    size = (layers, 2)
    costs = generator.integers(20, 80, size) // np.array([1, 3])
    gains = 0.016 * np.sqrt(costs) * generator.uniform(0.4, 1.6, size)
    return Stitching(
        costs, gains, generator.integers(1, 6, size), generator.uniform(0.02, 0.5, size)
    )


def stitching(layers: int, population: int, budget: int) -> Case:
    function = draw(layers)
    objectives = (Objective("accuracy", maximise=True), Objective("cost"))
    return Case(
        "stitching",
        Problem((2,) * (2 * layers) + (len(OUTPUTS),), objectives, signature, active),
        function,
        front(function, one_of_each(layers), objectives),
        (0.0, float(function.costs.sum())),
        population,
        budget,
        Initialisation(),
    )

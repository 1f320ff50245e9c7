"""Fronts that are found by looking at everything."""

from collections.abc import Iterator, Sequence

import moocore
import numpy as np

from netstitch.optimization import Objective
from problems.case import Function, Genotypes, Point, Values

CHUNK = 2**16


def all_genotypes(cardinalities: Sequence[int]) -> Iterator[Genotypes]:
    """Every genotype once, in parts."""
    total = int(np.prod(cardinalities, dtype=np.int64))
    places = np.cumprod([1, *cardinalities[:-1]], dtype=np.int64)
    for start in range(0, total, CHUNK):
        numbers = np.arange(start, min(start + CHUNK, total))
        yield numbers[:, None] // places % np.asarray(cardinalities)


def nondominated(values: Values, objectives: Sequence[Objective]) -> Values:
    """The non-dominated rows, without repeats."""
    maximise = [objective.maximise for objective in objectives]
    found: Values = np.unique(values, axis=0)
    return found[moocore.is_nondominated(found, maximise=maximise)]


def front(
    function: Function, parts: Iterator[Genotypes], objectives: Sequence[Objective]
) -> frozenset[Point]:
    """The front of the genotypes that come in parts."""
    kept = np.empty((0, len(objectives)))
    for genotypes in parts:
        kept = nondominated(np.concatenate([kept, function.values(genotypes)]), objectives)
    return frozenset(tuple(row) for row in kept.tolist())

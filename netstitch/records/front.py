"""Whether a front is of the supernet that it lies beside."""

from pathlib import Path

import numpy as np

from netstitch.analysis import Front, FrontPoint
from netstitch.documents import WORST
from netstitch.errors import StorageError
from netstitch.stitching.structure import Structure


def check_front(path: Path, front: Front, structure: Structure) -> None:
    """Raise StorageError where a network of a front, read from `path`, is not of the supernet.

    Its genotype fits, and what follows from that, its cost, stitches and output, is what the front
    says.
    """
    for point in (*front.references, *front.points):
        reason = _difference(point, structure)
        if reason is not None:
            raise StorageError(f"{path} is of another supernet: {point.label} {reason}; {WORST}")


def _difference(point: FrontPoint, structure: Structure) -> str | None:
    limits = structure.board.cardinalities
    if len(point.genotype) != len(limits) or any(
        value >= limit for value, limit in zip(point.genotype, limits, strict=True)
    ):
        return f"does not fit its {len(limits)} switches"
    genotype = np.array(point.genotype, np.int64)
    cost = structure.wiring.multiply_adds(genotype)
    if point.multiply_adds != cost:
        return f"has {point.multiply_adds:,} multiply-adds, and what it selects {cost:,}"
    stitches = len(structure.active_stitches(genotype))
    if point.stitches != stitches:
        return f"has {point.stitches:,} stitches, and what it selects {stitches:,}"
    output = structure.outputs[point.genotype[-1]]
    if point.output not in ("", output):
        return f"has the output {point.output!r:.80}, and what it selects {output!r:.80}"
    return None

"""Genotypes: made by name, and checked."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from netstitch.errors import StitchingError
from netstitch.stitching.reachability import Genotype
from netstitch.text import expected_one_of


def make_genotype(
    cardinalities: Sequence[int],
    outputs: Sequence[str],
    output: str | int,
    stitches: Mapping[int, int] | Iterable[int],
) -> Genotype:
    """Return the genotype that keeps the originals but for the switches named.

    Args:
        cardinalities: number of choices of each switch, the output switch last.
        outputs: names of the output switch's choices.
        output: name or number of the one to take.
        stitches: switches that take choice 1, or choices by switch.

    Raises:
        StitchingError: for an output, switch or choice that does not exist.
    """
    if output in outputs:
        output = list(outputs).index(str(output))
    if not isinstance(output, int | np.integer):
        known = expected_one_of(output, outputs)
        raise StitchingError(f"output is {output!r:.80}; {known}, or its number")
    genotype = np.zeros(len(cardinalities), dtype=np.int64)
    genotype[-1] = output
    for switch, choice in _choices(stitches).items():
        if not 0 <= switch < len(cardinalities) - 1:
            raise StitchingError(
                f"switch {switch} does not exist; expected 0 to {len(cardinalities) - 2}"
            )
        genotype[switch] = choice
    return check_genotype(cardinalities, genotype)


def _choices(stitches: Mapping[int, int] | Iterable[int]) -> Mapping[int, int]:
    """Return choices by switch; raise StitchingError for what are no whole numbers."""
    if isinstance(stitches, Iterable):
        choices = stitches if isinstance(stitches, Mapping) else dict.fromkeys(stitches, 1)
        numbers = (*choices, *choices.values())
        if all(isinstance(number, int | np.integer) for number in numbers):
            return choices
    raise StitchingError(
        f"stitches are {stitches!r:.80}; expected the numbers of switches, such as [0, 3], or "
        "their choices by number"
    )


def check_genotype(
    cardinalities: Sequence[int], genotype: Sequence[int] | NDArray[np.integer]
) -> Genotype:
    """Return the genotype as an array (l,); raise StitchingError unless it fits the switches."""
    try:
        values = np.asarray(genotype)
    except (ValueError, TypeError, RuntimeError):  # rows of unequal length, tensors elsewhere
        raise StitchingError(
            f"a genotype is nested; expected {len(cardinalities)} integers, one per switch"
        ) from None
    if values.shape != (len(cardinalities),) or not np.issubdtype(values.dtype, np.integer):
        raise StitchingError(
            f"a genotype of shape {values.shape} and type {values.dtype} was given; "
            f"expected {len(cardinalities)} integers, one per switch"
        )
    limits = np.asarray(cardinalities)
    wrong = np.flatnonzero((values < 0) | (values >= limits))
    if wrong.size:
        index = int(wrong[0])
        raise StitchingError(
            f"switch {index} cannot take choice {values[index]}; "
            f"expected 0 to {cardinalities[index] - 1}"
        )
    return values.astype(np.int64, copy=False)

"""p values of several tests, corrected for their number."""

from collections.abc import Sequence


def holm(values: Sequence[float]) -> list[float]:
    """p values in the order given, corrected by Holm's step-down procedure (1979)."""
    corrected, highest = [0.0] * len(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = highest
    return corrected

"""The selection of samples that a limit keeps."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from netstitch.errors import DataError
from netstitch.tasks.datasets.given import check_limit

SEED = 0
Selection = Literal["evenly", "first", "random"]
"""Keep samples evenly over the classes, the first ones, or random ones in random order."""


def chosen(labels: Sequence[int], limit: int | None, selection: Selection) -> list[int]:
    """Return the indices of the samples that a limit keeps; all of them without a limit.

    They ascend but for "random", whose order is random too, and always the same: of all samples
    where there is no limit.

    Raises:
        DataError: For a limit under 1 or an unknown selection.
    """
    check_limit(limit)
    if selection not in ("evenly", "first", "random"):
        raise DataError(f"selection {selection!r} is not known; give 'evenly', 'first' or 'random'")
    if selection == "random":
        return list(map(int, np.random.default_rng(SEED).permutation(len(labels))[:limit]))
    if limit is None or limit >= len(labels):
        return list(range(len(labels)))
    return list(range(limit)) if selection == "first" else evenly(labels, limit)


def apart(labels: Sequence[int], count: int, selection: Selection) -> tuple[list[int], list[int]]:
    """Return the indices of all samples but `count`, and of these, which were chosen last.

    The samples were chosen by `selection`; without classes, `count` are taken evenly over them.

    Raises:
        DataError: Where none would be left.
    """
    total = len(labels)
    if not 0 < count < total:
        raise DataError(
            f"{count} of {total} samples cannot be kept apart; expected 1 to {total - 1}"
        )
    kept = list(range(total - count))
    if selection == "evenly" and len(set(labels)) > 1:
        kept = evenly(labels, total - count)
    elif selection == "evenly":
        taken = set(spaced(total, count))
        kept = [index for index in range(total) if index not in taken]
    left = set(kept)
    return kept, [index for index in range(total) if index not in left]


def spaced(total: int, count: int) -> list[int]:
    """Return `count` ascending indices, spread evenly over an order of `total`."""
    return [index * total // count for index in range(count)]


def evenly(labels: Sequence[int], limit: int) -> list[int]:
    """Return ascending indices of `limit` samples, taken from the classes in turn.

    Classes are visited in the order of their number and give their earliest sample not yet taken,
    so that their counts differ by at most one until a class runs out. No randomness.

    Raises:
        DataError: For a limit under 1.
    """
    check_limit(limit)
    array = np.asarray(labels, dtype=np.int64)
    grouped = np.argsort(array, kind="stable")
    _, starts, counts = np.unique(array[grouped], return_index=True, return_counts=True)
    turn = np.empty(len(array), dtype=np.int64)
    turn[grouped] = np.arange(len(array)) - np.repeat(starts, counts)
    return list(map(int, np.sort(np.lexsort((array, turn))[:limit])))

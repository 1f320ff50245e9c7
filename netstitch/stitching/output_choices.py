"""The choices of the output switch: sets of networks, one alone or several whose mean counts."""

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from netstitch.errors import StitchingError
from netstitch.text import expected_one_of

WITH_PAIRS = 4
"""The most networks of which each pair is a choice by default: of five there are ten pairs."""

OutputChoices = tuple[tuple[int, ...], ...]
"""Sets of networks by number, in the order of the choices."""


def default_outputs(count: int) -> OutputChoices:
    """Return each network, each pair of up to four networks, and all of them as the last."""
    return all_pairs(count) if count <= WITH_PAIRS else _sets(count, (1,))


def all_pairs(count: int) -> OutputChoices:
    """Return each network, each pair, and all of them as the last."""
    return _sets(count, (1, 2))


def _sets(count: int, sizes: Iterable[int]) -> OutputChoices:
    some = [subset for size in sizes if size < count for subset in combinations(range(count), size)]
    return (*some, tuple(range(count)))


def output_choices(
    count: int, outputs: Any, names: Mapping[str, int] | None = None
) -> OutputChoices:
    """Return the sets of networks by number; by default those of `default_outputs`.

    Args:
        count: The number of networks.
        outputs: A list of sets of networks, which are numbers or names; or None.
        names: The numbers of networks by name; without it they have none.

    Raises:
        StitchingError: It is no such list or an empty one, a set is there twice or has a network
            twice, or none, or a name or a number is that of no network.
    """
    if outputs is None:
        return default_outputs(count)
    known = {} if names is None else names
    given = list(outputs) if isinstance(outputs, Iterable) else [outputs]
    if not all(isinstance(one, Iterable) and not isinstance(one, str) for one in given):
        some: list[list[object]] = [[one] for one in known or range(count)]
        raise StitchingError(
            f"outputs is {outputs!r:.80}; expected a list of sets of networks, such as {some!r:.80}"
        )
    if not given:
        raise StitchingError("outputs is an empty list; expected one or more sets of networks")
    chosen: dict[frozenset[int], tuple[int, ...]] = {}
    for one in map(tuple, given):
        subset = tuple(_number(network, count, known) for network in one)
        if not subset or len(set(subset)) != len(subset):
            raise StitchingError(
                f"{list(one)!r:.80} of the outputs is no set of networks; expected one or more, "
                "none twice"
            )
        if frozenset(subset) in chosen:
            raise StitchingError(f"{list(one)!r:.80} is twice among the outputs; leave one out")
        chosen[frozenset(subset)] = subset
    return tuple(chosen.values())


def _number(network: object, count: int, names: Mapping[str, int]) -> int:
    if isinstance(network, str) and network in names:
        return names[network]
    if isinstance(network, int | np.integer) and 0 <= network < count:
        return int(network)
    expected = f"expected numbers of 0 to {count - 1}"
    if names:
        expected = f"{expected_one_of(network, names)}, or a number of 0 to {count - 1}"
    raise StitchingError(f"the outputs name the network {network!r:.80}, which is none; {expected}")

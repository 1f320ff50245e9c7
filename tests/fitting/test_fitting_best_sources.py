"""The sources that a point is made from, chosen by closed-form error."""

from collections.abc import Iterator
from functools import cache

import pytest
import torch
from supernet_examples import Small, images

import netstitch as ns
from netstitch.errors import FittingError
from netstitch.fitting import LeastSquaresSettings, best_sources
from netstitch.matching import Matching
from netstitch.networks import Network


@cache
def four() -> tuple[list[Network], Matching]:
    torch.manual_seed(0)
    widths = zip((3, 4, 5, 6), "abcd", strict=True)
    networks = [ns.capture(Small(width).eval(), images(), name=name) for width, name in widths]
    return networks, ns.match(*networks)


@pytest.mark.parametrize("sources", [1, 2])
def test_the_stitches_of_the_least_error_are_kept(sources: int) -> None:
    networks, matching = four()
    batches = [images(40), images(41)]
    whole = ns.Supernet(networks, matching)
    errors: dict[object, list[tuple[float, int]]] = {}
    for row in whole.fit(batches).rows:
        assert row.relative_error is not None
        found = errors.setdefault(row.target, [])
        found.append((row.relative_error, row.source.network))
    bounded = ns.Supernet(networks, best_sources(networks, matching, batches, sources=sources))
    for target, found in errors.items():
        kept = [s.source.network for s in bounded.stitches if s.target == target]
        assert sorted(kept) == sorted(network for _, network in sorted(found)[:sources])
    # What is kept is fitted as before.
    before = {(row.source, row.target): row.relative_error for row in whole.fit(batches).rows}
    for row in bounded.fit(batches).rows:
        assert row.relative_error == pytest.approx(before[row.source, row.target], rel=1e-6)


def test_the_memory_budget_and_a_stream_that_ends_are_those_of_the_fit() -> None:
    networks, matching = four()
    batches = [images(40), images(41)]
    little = LeastSquaresSettings(memory_budget=20_000)
    expected = best_sources(networks, matching, batches, sources=1)
    assert best_sources(networks, matching, batches, sources=1, settings=little) == expected

    def once() -> Iterator[torch.Tensor]:
        yield from batches

    assert best_sources(networks, matching, once(), sources=1) == expected
    with pytest.raises(FittingError, match="can be read only once"):
        best_sources(networks, matching, once(), sources=1, settings=little)


def test_with_few_networks_no_batch_is_read() -> None:
    networks, matching = four()
    assert best_sources(networks, matching, [], sources=3) is matching

"""Tables of searches, from outcomes that are made up."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netstitch.analysis import hypervolume

IMAGES = 40
COSTS = {b"small": 40.0, b"large": 60.0, b"both": 100.0, b"stitched": 50.0}
RIGHT = {b"small": 30, b"large": 34, b"both": 36, b"stitched": 33}


def row(way: str, budget: int, seed: int, *networks: bytes) -> dict[str, Any]:
    front = [[network.hex(), COSTS[network]] for network in networks]
    told = {"way": way, "budget": budget, "seed": seed, "front": front}
    return told | {"images": IMAGES, "evaluated": len(front)}


@pytest.fixture
def found(tmp_path: Path) -> Any:
    from outcomes import OutcomeStore
    from search_comparison import read_found

    store = OutcomeStore(tmp_path / "outcomes.sqlite")
    for network, right in RIGHT.items():
        store.put("test", network, np.array([1]), np.packbits(np.arange(IMAGES) < right))
    store.put("test", b"small", np.array([1]), np.packbits(np.arange(IMAGES) < 2))  # too late
    rows = [row("references", 0, 0, b"small", b"large", b"both")]
    for seed in (1, 2, 3, 4, 5):
        rows += [
            row("union", 0, seed, b"small", b"stitched", b"large", b"both"),
            row("ga", 100, seed, b"both"),
            row("surrogate, first networks", 100, seed, b"large"),
            row("surrogate, first networks", 100, seed, b"stitched"),  # the later one counts
            row("enumeration", 100, seed, b"small", b"both"),
        ]
    return read_found(rows, store, 0.5), rows


def test_gains_are_hypervolume_beyond_the_references(found: Any) -> None:
    told, _ = found
    accuracies = {network: right / IMAGES for network, right in RIGHT.items()}
    names = list(RIGHT)

    def volume(*networks: bytes) -> float:
        points = [(accuracies[one], COSTS[one]) for one in networks]
        return hypervolume(*zip(*points, strict=True), ensemble=100.0, accuracy_floor=0.5)

    expected = volume(*names) - volume(b"small", b"large", b"both")
    assert expected > 0
    for seed, values in told.values("surrogate, first networks", 100).items():
        assert seed in range(1, 6)
        assert values[0] == pytest.approx(expected, abs=1e-7)
    assert all(values[0] == 0 for values in told.values("ga", 100).values())


def test_a_difference_has_an_interval_over_images_and_a_test_over_seeds(found: Any) -> None:
    from search_comparison import difference

    told, _ = found
    new, old = told.values("surrogate, first networks", 100), told.values("ga", 100)
    one = difference(new, old)
    assert one.mean == pytest.approx(new[1][0])
    assert one.low <= one.mean <= one.high
    assert one.low < one.high
    assert (one.p, one.seeds) == (1 / 2**5, 5)
    assert difference(old, old).p == 1.0
    assert difference(old, {}) is None


def test_tables_name_ways_and_pairs(found: Any) -> None:
    from search_comparison import pairs_table, ways_table

    told, rows = found
    lines = ways_table(told, rows, lambda way: "ga").splitlines()
    assert len(lines) == 2 + 3
    (new,) = [line for line in lines if "| surrogate, first networks |" in line]
    assert "| 100 % |" in new
    table = pairs_table({"one": told, "other": told}).splitlines()
    assert len(table) == 2 + 2
    assert "| 0.031 | 0.062 |" in table[2]

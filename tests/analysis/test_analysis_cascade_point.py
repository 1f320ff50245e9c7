from dataclasses import replace

import pytest
from example_fronts import cascade, front_of_both

from netstitch.analysis import Front


def test_the_mean_cost_is_that_of_the_samples() -> None:
    point = cascade("C1", 1_400_000, 0.91)
    assert [point.cost_on(part) for part in ("validation", "test")] == [1_400_000, 1_500_000]
    assert point.cost_on("confirmation") == point.cost  # as long as nothing was measured there


def test_thresholds_of_a_curve_rise() -> None:
    point = cascade("C1", 1_400_000, 0.91)
    with pytest.raises(ValueError, match="C1: the thresholds of its curve do not rise"):
        replace(point, curve=point.curve[::-1])


def test_json_there_and_back(tmp_path) -> None:
    front = front_of_both()
    front.to_json(tmp_path / "front.json")
    assert Front.from_json(tmp_path / "front.json") == front

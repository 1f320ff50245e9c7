"""The gain of being chosen by validation samples, beside the ensemble."""

import numpy as np
import pytest
from numpy.typing import NDArray

from netstitch.analysis import FrontPoint, Interval, paired_difference
from netstitch.analysis.bootstrap import independent_difference
from netstitch.analysis.flattery import flattery

Right = NDArray[np.bool_]


def measured(seen: Interval | None, unseen: Interval | None) -> FrontPoint:
    return FrontPoint("n", (0,), 1, 0, 0.5, 0.5, validation_difference=seen, test_difference=unseen)


def test_independent_errors_of_one_point_add_up() -> None:
    point = measured(Interval(0.01, 0.007, 0.014), Interval(-0.02, -0.024, -0.017))
    found = flattery([point], "test")
    assert found is not None
    assert (found.difference, found.low, found.high) == pytest.approx(
        (0.03, 0.03 - 18**0.5 / 1e3, 0.03 + 32**0.5 / 1e3)
    )


def test_of_several_points_it_is_the_mean_and_no_surer() -> None:
    one = measured(Interval(0.01, 0.0, 0.02), Interval(0.0, 0.0, 0.0))
    other = measured(Interval(0.03, 0.0, 0.06), Interval(0.0, 0.0, 0.0))
    found = flattery([one, other], "test")
    assert found is not None
    assert (found.difference, found.low, found.high) == pytest.approx((0.02, 0.0, 0.04))


def test_what_was_not_measured_says_nothing() -> None:
    seen = Interval(0.01, 0.0, 0.02)
    assert flattery([], "test") is None
    assert flattery([measured(seen, None), measured(None, seen)], "test") is None
    assert flattery([measured(seen, seen)], "confirmation") is None


def outcomes(random: np.random.Generator, ensemble: Right) -> Right:
    """A network that is as often right in the long run, and differs on 8 % of the samples."""
    share = ensemble.mean()
    return ensemble ^ (random.random(len(ensemble)) < 0.04 / np.where(ensemble, share, 1 - share))


@pytest.mark.parametrize(("networks", "surely"), [(1, False), (200, True)])
def test_the_best_of_many_equal_networks_is_flattered_and_one_alone_is_not(
    networks: int, surely: bool
) -> None:
    """On samples that are harder for all, too."""
    random = np.random.default_rng(0)
    seen, unseen = random.random(1_000) < 0.8, random.random(4_000) < 0.75
    each = [(outcomes(random, seen), outcomes(random, unseen)) for _ in range(networks)]
    best = max(each, key=lambda pair: pair[0].mean())
    differences = [
        paired_difference(own, other, seed=0)
        for own, other in zip(best, (seen, unseen), strict=True)
    ]
    found = flattery([measured(*differences)], "test")
    assert found is not None
    assert (found.low > 0) is surely
    gap = independent_difference(*best, seed=0)
    assert gap.low > 0  # by itself this says nothing: the test samples are harder
    assert found.high - found.low < gap.high - gap.low

"""More stitches later, learning ones more often, closed ones never."""

import math

import numpy as np
import pytest
from refinement_examples import three, unfitted

from netstitch.fitting.refinement.sampler import (
    EVEN,
    LEAST,
    Gains,
    SubnetworkSampler,
    single,
    with_active,
)


def drawn(draws: SubnetworkSampler, fraction: float, count: int = 150) -> list[tuple[int, ...]]:
    generator = np.random.default_rng(1)
    return [draws.union.active_stitches(draws.draw(generator, fraction)[0]) for _ in range(count)]


def test_subnetworks_have_more_active_stitches_later() -> None:
    supernet = unfitted(every=1)
    draws = SubnetworkSampler(supernet)
    means = [np.mean([len(each) for each in drawn(draws, f)]) for f in (0.0, 0.5, 1.0)]
    assert 1 <= means[0] < means[1] < means[2]
    assert all(each for each in drawn(draws, 1.0))


def test_stitches_that_rest_are_drawn_only_where_no_other_is_open() -> None:
    gains = Gains(5)
    gains.begin({0: 0.2, 1: 3.0, 2: 0.9, 3: math.inf, 4: 8.0})
    gains.closed.add(4)
    gains.keep_worst(4)  # as many as are open: the one whose loss is infinite too
    assert not gains.resting
    gains.keep_worst(2)
    assert gains.resting == {0, 3}
    assert np.flatnonzero(gains.shares()).tolist() == [1, 2]
    gains.closed |= {1, 2}
    assert np.flatnonzero(gains.shares()).tolist() == [0, 3]
    gains.closed |= {0, 3}
    assert not gains.shares().any()


def test_no_stitch_rests_where_nothing_is_known_of_any() -> None:
    gains = Gains(3)
    gains.keep_worst(1)
    assert np.flatnonzero(gains.shares()).tolist() == [0, 1, 2]


def test_a_single_stitch_is_named_and_alone() -> None:
    supernet = three()
    draws, generator = (
        SubnetworkSampler(supernet),
        np.random.default_rng(0),
    )
    kinds = set()
    for _ in range(60):
        genotype, alone = draws.draw(generator, 0.5)
        kinds.add(alone is None)
        if alone is not None:
            assert supernet.active_stitches(genotype) == (alone,)
    assert kinds == {True, False}
    for stitch in range(len(supernet.stitches)):
        genotype_or_none = single(supernet, stitch)
        assert genotype_or_none is not None
        assert supernet.active_stitches(genotype_or_none) == (stitch,)


def test_closed_stitches_are_never_drawn() -> None:
    supernet = unfitted()
    draws = SubnetworkSampler(supernet)
    gains = draws.gains
    closed = set(range(0, len(supernet.stitches), 2))
    for stitch in closed:
        gains.closed.add(stitch)
    seen = {stitch for fraction in (0.0, 1.0) for each in drawn(draws, fraction) for stitch in each}
    assert seen
    assert not seen & closed
    for stitch in range(len(supernet.stitches)):
        gains.closed.add(stitch)
    with pytest.raises(LookupError, match="no stitch is left"):
        draws.draw(np.random.default_rng(0), 0.0)


def test_stitches_are_drawn_by_the_roots_of_what_they_gain() -> None:
    gains = Gains(5)
    assert gains.shares() == pytest.approx([0.2] * 5)
    for number in range(6):
        gains.note(0, 1.0 - number / 10)  # learns: from 2.7 in the older half to 1.8
        gains.note(1, 1.0)  # stands still
        gains.note(2, 0.1)  # stands still where little is left to gain
    gains.begin({3: 0.4, 4: math.inf})
    gains.note(3, 0.2)  # seen once: all of its loss, 0.3 on average, may be gained
    roots = np.sqrt([2.7 - 1.8, LEAST * 3, LEAST * 0.3, 3 * 0.3, 0.9])  # unmeasured: as the best
    assert gains.shares() == pytest.approx(EVEN / 5 + (1 - EVEN) * roots / roots.sum())
    gains.closed.add(3)
    assert gains.shares()[3] == 0
    assert gains.shares().sum() == pytest.approx(1)


def test_before_training_stitches_are_drawn_by_what_they_lose() -> None:
    gains = Gains(3)
    gains.begin({0: 0.04, 1: 0.16, 2: 0.0})
    roots = np.array([0.2, 0.4, 0.0])
    assert gains.shares() == pytest.approx(EVEN / 3 + (1 - EVEN) * roots / roots.sum())


def test_stitches_that_have_nothing_to_gain_are_drawn_alike() -> None:
    gains = Gains(3)
    gains.begin(dict.fromkeys(range(3), -1e-9))  # a divergence of nothing, and rounding
    gains.closed.add(1)
    assert gains.shares() == pytest.approx([0.5, 0, 0.5])


def test_so_many_active_stitches_as_asked_for() -> None:
    supernet, generator = unfitted(every=1), np.random.default_rng(0)
    everything = list(range(len(supernet.stitches)))
    among = everything[2:]
    for active in (1, 2, 4):
        genotype = with_active(supernet, generator, active, among)
        assert genotype is not None
        found = supernet.active_stitches(genotype)
        assert len(found) == active
        assert set(found) <= set(among)
    assert with_active(supernet, generator, 4, everything[:2]) is None

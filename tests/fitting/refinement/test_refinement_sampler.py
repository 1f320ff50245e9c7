"""More stitches later, all alike, closed ones never."""

import numpy as np
import pytest
from refinement_examples import three, unfitted

from netstitch.fitting.refinement.sampler import SubnetworkSampler, single, with_active


def drawn(draws: SubnetworkSampler, fraction: float, count: int = 150) -> list[tuple[int, ...]]:
    generator = np.random.default_rng(1)
    return [draws.union.active_stitches(draws.draw(generator, fraction)[0]) for _ in range(count)]


def test_subnetworks_have_more_active_stitches_later() -> None:
    supernet = unfitted(every=1)
    draws = SubnetworkSampler(supernet)
    means = [np.mean([len(each) for each in drawn(draws, f)]) for f in (0.0, 0.5, 1.0)]
    assert 1 <= means[0] < means[1] < means[2]
    assert all(each for each in drawn(draws, 1.0))


def test_a_single_stitch_is_named_and_alone() -> None:
    supernet = three()
    draws, generator = SubnetworkSampler(supernet), np.random.default_rng(0)
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
    closed = set(range(0, len(supernet.stitches), 2))
    draws.closed |= closed
    seen = {stitch for fraction in (0.0, 1.0) for each in drawn(draws, fraction) for stitch in each}
    assert seen
    assert not seen & closed
    draws.closed |= set(range(len(supernet.stitches)))
    with pytest.raises(LookupError, match="no stitch is left"):
        draws.draw(np.random.default_rng(0), 0.0)


def test_stitches_are_drawn_alike() -> None:
    supernet = unfitted()
    draws, generator = SubnetworkSampler(supernet), np.random.default_rng(0)
    alone = [draws.draw(generator, 0.0)[1] for _ in range(600)]
    counts = [alone.count(stitch) for stitch in range(len(supernet.stitches))]
    expected = sum(counts) / len(counts)
    assert all(0.5 * expected < count < 1.5 * expected for count in counts)


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

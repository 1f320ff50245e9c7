"""The steps at which held-out samples are looked at, and the bound of divergence."""

from netstitch.tuning.distillation import bound, looks


def test_looks_are_early_and_then_evenly_spread() -> None:
    assert looks(1) == {0, 1}
    assert looks(5) == {0, 1, 2, 3, 4, 5}
    assert sorted(looks(100)) == [0, 1, 2, 4, 8, *range(10, 101, 10)]
    assert max(looks(101)) == 101


def test_divergence_is_far_above_the_best_so_far() -> None:
    assert bound(1.0, before=1.0) == 2.0
    assert bound(0.5, before=1.0) == 1.0  # of a start at 1.0 that is lost again
    assert bound(0.01, before=1.0) == 0.11  # what is near the teacher may waver
    assert bound(0.0, before=0.0) == 1e-3

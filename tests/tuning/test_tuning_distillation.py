"""When held-out samples are looked at."""

from netstitch.tuning.distillation import looks


def test_looks_are_early_and_then_evenly_spread() -> None:
    assert looks(1) == {0, 1}
    assert looks(5) == {0, 1, 2, 3, 4, 5}
    assert sorted(looks(100)) == [0, 1, 2, 4, 8, *range(10, 101, 10)]
    assert max(looks(101)) == 101

"""Counts of uses, against a twin that keeps every use with its age."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.evaluation import uses as module
from netstitch.evaluation.uses import FORGOTTEN, Uses


@given(st.lists(st.sets(st.integers(0, 5)), max_size=40))
@settings(deadline=None)
def test_a_use_counts_half_as_much_after_each_period(asked: list[set[int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PERIOD", 3)
        uses = Uses()
        for number, keys in enumerate(asked, start=1):
            uses.see(bytes([key]) for key in keys)
            for key in range(6):
                count = 0.0
                for position, earlier in enumerate(asked[:number], start=1):
                    count += key in earlier
                    if position % 3 == 0:
                        count /= 2
                        count = count if count >= FORGOTTEN else 0.0
                assert uses[bytes([key])] == count
                assert (bytes([key]) in uses) == (count > 0)


def test_what_is_never_asked_for_again_is_forgotten() -> None:
    uses = Uses()
    for number in range(10 * module.PERIOD):
        uses.see([number.to_bytes(4, "big"), b"often"])
    assert len(uses) <= 3 * module.PERIOD + 1
    assert uses[b"often"] > module.PERIOD / 2
    uses.clear()
    assert len(uses) == 0

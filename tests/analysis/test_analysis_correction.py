"""Corrected p values, as worked out by hand."""

import pytest

from netstitch.analysis.correction import holm


def test_the_smallest_is_multiplied_by_most_and_the_order_stays() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.errors import DataError
from netstitch.tasks.datasets.sample_selection import chosen, evenly

labels_and_limit = st.lists(st.integers(0, 5), min_size=1, max_size=40).flatmap(
    lambda labels: st.tuples(st.just(labels), st.integers(1, len(labels)))
)


def in_turn(labels: list[int], limit: int) -> list[int]:
    """The slow twin: go round the classes, each giving its next sample, until there are enough."""
    queues = {label: [i for i, other in enumerate(labels) if other == label] for label in labels}
    kept: list[int] = []
    while True:
        for label in sorted(queues):
            if queues[label]:
                kept.append(queues[label].pop(0))
                if len(kept) == limit:
                    return sorted(kept)


@settings(deadline=None)
@given(labels_and_limit)
def test_evenly_takes_from_the_classes_in_turn(case):
    labels, limit = case
    assert evenly(labels, limit) == in_turn(labels, limit)


def test_evenly_over_a_folder_sorted_by_class():
    labels = [0] * 50 + [1] * 50 + [2] * 2
    assert Counter(labels[i] for i in evenly(labels, 12)) == {0: 5, 1: 5, 2: 2}


def test_first_samples_without_regard_to_class():
    assert chosen([0, 0, 0, 1], 2, "first") == [0, 1]


def test_a_limit_beyond_the_data_keeps_all():
    assert chosen([1, 0], 5, "evenly") == [0, 1]
    assert chosen([1, 0], None, "first") == [0, 1]


def test_senseless_selections_are_refused():
    with pytest.raises(DataError, match="limit of 0"):
        chosen([1], 0, "evenly")
    with pytest.raises(DataError, match="'last' is not known"):
        chosen([1], 1, "last")  # type: ignore[arg-type]

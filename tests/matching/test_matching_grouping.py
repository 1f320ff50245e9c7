import pytest
from chain_examples import line
from hypothesis import given
from hypothesis import strategies as st

from netstitch.errors import MatchingError
from netstitch.matching import compatible
from netstitch.matching.grouping import ROWS_A_FEATURE, by_layout, described, read_together
from netstitch.matching.sampling import FLOAT

KINDS = ("conv", "sin", "pool", "flatten", "scale", "sin")
A, B = line(*KINDS, name="a")[0], line("sin", *KINDS, name="b")[0]
PLENTY = 10**9


def test_each_compatible_pair_is_in_one_group_and_no_other_is():
    groups = by_layout(A, B, None, 50, 100, PLENTY)
    grouped = [(u.name, v.name) for of_a, of_b in groups for u in of_a.points for v in of_b.points]
    end_a, end_b = (network.graph.outputs[0][1] for network in (A, B))
    pairs = [
        (u.name, v.name)
        for u in A.graph.points
        for v in B.graph.points
        if compatible(u, v) and u.name != end_a and v.name != end_b
    ]
    assert sorted(grouped) == sorted(pairs)
    assert [described(group) for group in groups] == ["4x4", "1x1", "no positions"]


def test_a_layout_without_a_pair_is_not_computed():
    u, v = A.graph.points[0].name, B.graph.points[2].name
    (group,) = by_layout(A, B, [(u, v)], 50, 100, PLENTY)
    assert [[node.name for node in layer.points] for layer in group] == [[u], [v]]


def test_rows_are_enough_for_the_widest_point():
    groups = by_layout(A, B, None, 2, 1, PLENTY)
    sampling = groups[0][0].sampling
    assert sampling.images * sampling.positions >= 3 * ROWS_A_FEATURE
    assert groups[0][1].sampling == sampling


def test_names_that_are_no_points_are_refused():
    with pytest.raises(MatchingError, match="'x' is no point of b that can be matched"):
        by_layout(A, B, [(A.graph.points[0].name, "x")], 50, 100, PLENTY)


@given(st.integers(1, 200_000), st.integers(64, 200))
def test_what_is_read_together_fits_or_is_alone(budget, images):
    groups = by_layout(A, B, None, images, 400, PLENTY)
    passes = read_together(groups, budget)
    read = [described(group) for together in passes for group in together]
    assert sorted(read) == sorted(map(described, groups))
    for together in passes:
        size = sum(
            FLOAT * layer.sampling.images * layer.sampling.positions * 3 * len(layer.points)
            for group in together
            for layer in group
        )
        assert size <= budget or len(together) == 1


def test_everything_is_read_together_where_there_is_room():
    groups = by_layout(A, B, None, 50, 100, PLENTY)
    assert len(read_together(groups, PLENTY)) == 1
    assert len(read_together(groups, 1)) == len(groups)
    assert read_together([], PLENTY) == []

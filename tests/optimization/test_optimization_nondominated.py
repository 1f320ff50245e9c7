import moocore
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimization_cases import nondominated

from netstitch.optimization.archive import CostTable, Staircase, nondominated_set


def cost_rows(columns: int) -> st.SearchStrategy[list[tuple[int, ...]]]:
    # few values, so that ties and repeats are common
    return st.lists(st.tuples(*[st.integers(-4, 4)] * columns), max_size=60)


@pytest.mark.parametrize("columns", [1, 2, 3, 4])
@settings(deadline=None)
@given(data=st.data())
def test_members_are_the_nondominated_of_all_inserted(columns: int, data: st.DataObject) -> None:
    rows = data.draw(cost_rows(columns))
    members = nondominated_set(columns)
    for position, row in enumerate(rows):
        expected = row not in rows[:position] and row in nondominated(rows[: position + 1])
        assert members.insert(row, row) == expected
        assert sorted(members.items()) == nondominated(rows[: position + 1])
        assert len(members) == len(members.items())


@pytest.mark.parametrize("columns", [2, 3])
def test_members_agree_with_moocore_on_many_points(columns: int) -> None:
    points = np.random.default_rng(columns).random((2000, columns)).round(2)
    members = nondominated_set(columns)
    for index, point in enumerate(points):
        members.insert(point.tolist(), index)
    # moocore keeps the first of equal points, too
    assert sorted(members.items()) == np.flatnonzero(moocore.is_nondominated(points)).tolist()


@settings(deadline=None)
@given(rows=cost_rows(2), column=st.integers(0, 1), limit=st.integers(-5, 5))
def test_both_kinds_drop_the_same_members(
    rows: list[tuple[int, int]], column: int, limit: int
) -> None:
    staircase: Staircase[tuple[int, int]] = Staircase()
    table: CostTable[tuple[int, int]] = CostTable(2)
    for row in rows:
        assert staircase.insert(row, row) == table.insert(row, row)
    if rows:
        assert staircase.least(column) == table.least(column) == min(row[column] for row in rows)
    staircase.drop_above(column, limit)
    table.drop_above(column, limit)
    expected = [row for row in nondominated(rows) if row[column] <= limit]
    assert list(staircase.items()) == sorted(table.items()) == expected


def test_of_equal_costs_the_first_stays() -> None:
    for columns in (2, 3):
        members = nondominated_set(columns)
        assert members.insert((1.0,) * columns, "first")
        assert not members.insert((1.0,) * columns, "second")
        assert members.items() == ("first",)

import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.experiments.writing import to_toml

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PLAIN = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
DOCUMENTS = st.dictionaries(
    TEXT,
    st.recursive(
        PLAIN | st.lists(PLAIN, max_size=3),
        lambda inner: (
            st.dictionaries(TEXT, inner, max_size=3)
            | st.lists(st.dictionaries(TEXT, inner, max_size=3), max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


@settings(deadline=None)
@given(DOCUMENTS)
def test_what_is_written_is_read_back(document):
    assert tomllib.loads(to_toml(document)) == document


def test_tables_follow_values():
    text = to_toml({"rows": [{"x": 1}, {"x": 2}], "table": {"y": [0.5, "a"]}, "name": "n"})
    assert text == ('name = "n"\n\n[[rows]]\nx = 1\n\n[[rows]]\nx = 2\n\n[table]\ny = [0.5, "a"]\n')

"""What one value would save, against computing what is needed with it and without it."""

from collections.abc import Collection, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from netstitch.evaluation.exclusive import Made, exclusive_work
from netstitch.networks.plan import INPUT_KEY, Key


@st.composite
def evaluations(draw: st.DrawFn) -> tuple[list[Made], set[Key], set[Key]]:
    """Values that read one another at random, some of them results, some of them known."""
    made: list[Made] = []
    for index in range(draw(st.integers(1, 12))):
        earlier = [INPUT_KEY, *(value.key for value in made)]
        reads = draw(st.lists(st.sampled_from(earlier), max_size=3, unique=True))
        made.append(Made(bytes([index]), tuple(reads), draw(st.integers(0, 9)), 1))
    keys = st.sampled_from([value.key for value in made])
    return made, draw(st.sets(keys, min_size=1)), draw(st.sets(keys, max_size=3))


def needed_work(made: Sequence[Made], results: Collection[Key], known: Collection[Key]) -> int:
    """Of all that the results depend on and is not known."""
    wanted, work = set(results), 0
    for value in reversed(made):
        if value.key in wanted and value.key not in known:
            wanted.update(value.reads)
            work += value.work
    return work


@given(evaluations())
@settings(deadline=None)
def test_it_is_the_work_that_is_not_needed_any_more(
    evaluation: tuple[list[Made], set[Key], set[Key]],
) -> None:
    made, results, known = evaluation
    whole = needed_work(made, results, known)
    found = exclusive_work(made, results, known)
    for value in made:
        saved = whole - needed_work(made, results, {*known, value.key})
        assert found.get(value.key, 0) == saved


def test_a_shortcut_needs_what_the_block_reads() -> None:
    made = [
        Made(b"stem", (INPUT_KEY,), 100, 1),
        Made(b"block", (b"stem",), 10, 1),
        Made(b"sum", (b"stem", b"block"), 1, 1),
    ]
    assert exclusive_work(made, [b"sum"]) == {b"stem": 100, b"block": 10, b"sum": 111}

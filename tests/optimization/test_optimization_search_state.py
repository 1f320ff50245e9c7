"""A search that goes on from its state ends as one that was never stopped."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optimization_cases import ACCURACY_MACS, ClockedExecutor, accuracy_and_macs, lotz, parted

from netstitch.errors import SearchError, StorageError
from netstitch.optimization import (
    ALGORITHMS,
    Engine,
    Evaluation,
    Genotype,
    HeadStart,
    Problem,
    Progress,
    SearchResult,
    SearchSettings,
    SearchStart,
    SerialExecutor,
    Solution,
    State,
    load_state,
    prepare_search,
    save_state,
)

PROBLEM = Problem((2, 3, 1, 4, 2, 2, 3, 2, 2, 300), ACCURACY_MACS)


def failing_now_and_then(genotype: Genotype) -> tuple[float, float]:
    if genotype.sum() % 7 == 3:
        raise ValueError("three")
    return accuracy_and_macs(genotype)


class Told:
    """A search and what it told, saved in a file after a number of evaluations."""

    def __init__(self, algorithm: str, file: Path, save_after: int = 0, **more: Any) -> None:
        self.evaluations: list[Evaluation] = []
        self._file, self._save_after = file, save_after
        capacity = more.pop("capacity", 1)
        options = {"population": 8, "evaluations": 150, **more}
        problem = options.pop("problem", PROBLEM)
        settings, others = parted({"algorithm": algorithm, **options})
        self.engine: Engine = prepare_search(
            problem,
            SerialExecutor(failing_now_and_then, capacity),
            settings,
            on_evaluation=self.evaluations.append,
            on_progress=self._look,
            **others,
        )

    def _look(self, progress: Progress) -> None:
        if progress.evaluated == self._save_after:
            save_state(self._file, self.engine.state())


def facts(result: SearchResult) -> list[Any]:
    counts = [result.used, result.evaluated, result.failed, result.skipped, result.stopped]
    front = [(one.genotype.tolist(), one.objectives) for one in result.archive]
    moments = [(one.used, one.evaluated, one.nonzero, one.active) for one in result.history]
    return [counts, front, moments]


def described(evaluations: list[Evaluation]) -> list[Any]:
    return [(one.ordinal, one.genotype.tolist(), one.objectives) for one in evaluations]


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
@pytest.mark.parametrize("capacity", [1, 8])
@settings(deadline=None, max_examples=15)
@given(
    after=st.integers(1, 90),
    steered=st.booleans(),
    seed=st.integers(0, 99),
    ahead=st.sampled_from([0, 1, 30]),
)
def test_a_search_goes_on_from_its_file_as_if_it_had_not_stopped(
    tmp_path_factory: pytest.TempPathFactory,
    algorithm: str,
    capacity: int,
    after: int,
    steered: bool,
    seed: int,
    ahead: int,
) -> None:
    file = tmp_path_factory.mktemp("search") / "state"
    threshold = 0.4 if steered else None
    options: dict[str, Any] = {"capacity": capacity, "seed": seed, "threshold": threshold}
    if ahead:
        drawn = np.random.default_rng(seed).integers(PROBLEM.cardinalities, size=(ahead, 10))
        options["start"] = SearchStart(
            head_start=HeadStart(list(drawn), 0.2)
        )  # which ends after 30
    whole = Told(algorithm, file, after, **options)
    result = whole.engine.run()
    if not file.exists():
        assert result.evaluated < after
        return
    again = Told(algorithm, file, **options)
    again.engine.restore(load_state(file))
    assert facts(again.engine.run()) == facts(result)
    assert described(again.evaluations) == described(whole.evaluations)[after:]


@pytest.mark.parametrize("after", [20, 60, 100])
def test_it_goes_on_with_extreme_clusters_too(tmp_path: Path, after: int) -> None:
    options: dict[str, Any] = {"capacity": 4, "settings": {"extreme_clusters": 2}}
    whole = Told("gomea", tmp_path / "state", after, **options)
    result = whole.engine.run()
    again = Told("gomea", tmp_path / "state", **options)
    again.engine.restore(load_state(tmp_path / "state"))
    assert facts(again.engine.run()) == facts(result)
    assert described(again.evaluations) == described(whole.evaluations)[after:]


def test_a_search_that_was_stopped_may_go_on_with_a_larger_budget(tmp_path: Path) -> None:
    first = Told("gomea", tmp_path / "state", 40, evaluations=40, count_skipped=False)
    assert first.engine.run().evaluated == 40
    more = Told("gomea", tmp_path / "state", evaluations=60, count_skipped=False)
    more.engine.restore(load_state(tmp_path / "state"))
    result = more.engine.run()
    assert (result.evaluated, len(more.evaluations)) == (60, 20)


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_a_state_in_memory_stays_as_it_was(tmp_path: Path, algorithm: str) -> None:
    states: list[State] = []

    def search() -> Engine:
        return prepare_search(
            PROBLEM,
            SerialExecutor(accuracy_and_macs, 3),
            SearchSettings(algorithm=algorithm, population=8, evaluations=60),
            seed=4,
            on_progress=lambda progress: states.append(made.state()),
        )

    made = search()
    expected = facts(made.run())
    made, early = search(), states[2]
    made.restore(early)
    assert facts(made.run()) == expected


def test_numbers_of_numpy_can_be_saved(tmp_path: Path) -> None:
    settings = {"mutation_rate": np.float32(0.25)}
    told = Told(
        "ga", tmp_path / "state", 9, seed=np.int64(3), population=np.int64(8), settings=settings
    )
    told.engine.run()
    assert load_state(tmp_path / "state")["config"]["seed"] == 3


def test_a_threshold_never_falls_where_the_budget_grows(tmp_path: Path) -> None:
    threshold = 0.5
    told = Told("ga", tmp_path / "state", 50, evaluations=100, threshold=threshold)
    told.engine.run()
    before = load_state(tmp_path / "state")["threshold"]
    more = Told("ga", tmp_path / "state", 51, evaluations=5_000, threshold=threshold)
    more.engine.restore(load_state(tmp_path / "state"))
    more.engine.run()
    assert load_state(tmp_path / "state")["threshold"] == before > 0.2


def test_a_state_that_lacks_something_is_refused(tmp_path: Path) -> None:
    told = Told("ga", tmp_path / "state", 20)
    told.engine.run()
    state = load_state(tmp_path / "state")
    del state["ledger"]
    with pytest.raises(SearchError, match="the state lacks 'ledger'"):
        Told("ga", tmp_path / "state").engine.restore(state)


def test_the_time_budget_counts_on() -> None:
    now = 0.0

    def evaluate(genotype: Genotype) -> tuple[float, float]:
        nonlocal now
        now += 1.0
        return accuracy_and_macs(genotype)

    def prepared() -> Engine:
        return prepare_search(
            lotz(30),
            ClockedExecutor(evaluate, lambda: now),
            SearchSettings(seconds=10.0, population=4),
            on_progress=lambda progress: states.append(search.state()),
            seed=0,
        )

    states: list[State] = []
    search = prepared()
    search.run()
    assert len(states) == 10
    search, now = prepared(), 1_000.0
    search.restore(states[3])
    assert search.run().elapsed == 10.0
    assert len(states) == 10 + 6


def test_a_state_of_another_search_is_refused_with_the_difference(tmp_path: Path) -> None:
    one = Told("ga", tmp_path / "state", 20)
    one.engine.run()
    state = load_state(tmp_path / "state")
    ahead = HeadStart([[0] * 10])
    for more, difference in (
        ({"seed": 2}, "seed 1, not 2"),
        ({"population": 9}, "population 8, not 9"),
        ({"problem": lotz(10)}, r"cardinalities \[2, 3, 1, 4"),
        ({"threshold": 0.5}, r"threshold None, not 0.5"),
        ({"settings": {"ties_replace": True}}, r"settings \{\}, not \{'ties_replace': True\}"),
        (
            {"start": SearchStart(head_start=ahead)},
            r"head_start None, not \[\[\[0, 0",
        ),
    ):
        with pytest.raises(SearchError, match=f"another search, with {difference}"):
            Told("ga", tmp_path / "state", **more).engine.restore(state)
    with pytest.raises(SearchError, match="algorithm 'ga', not 'gomea'"):
        Told("gomea", tmp_path / "state").engine.restore(state)


def test_signatures_of_any_kind_that_a_state_holds_can_be_saved(tmp_path: Path) -> None:
    problem = Problem((3,) * 8, ACCURACY_MACS, signature=lambda genotype: tuple(genotype.tolist()))
    whole = Told("ga", tmp_path / "state", 30, problem=problem)
    result = whole.engine.run()
    again = Told("ga", tmp_path / "state", problem=problem)
    again.engine.restore(load_state(tmp_path / "state"))
    assert facts(again.engine.run()) == facts(result)


def test_what_a_state_cannot_hold_is_one_line(tmp_path: Path) -> None:
    problem = Problem(
        (2,) * 8, ACCURACY_MACS, signature=lambda genotype: frozenset(enumerate(genotype.tolist()))
    )
    told = Told("ga", tmp_path / "state", 3, problem=problem)
    with pytest.raises(SearchError, match="a search holds a frozenset, which cannot be saved"):
        told.engine.run()


def test_files_that_are_no_states_are_one_line(tmp_path: Path) -> None:
    file = tmp_path / "state"
    with pytest.raises(StorageError, match="is missing"):
        load_state(file)
    file.write_text("no state")
    with pytest.raises(StorageError, match="is no readable checkpoint"):
        load_state(file)
    save_state(file, {"numbers": np.arange(10_000)})
    content = file.read_bytes()
    file.write_bytes(content[:-100])
    with pytest.raises(StorageError, match="is no readable checkpoint"):
        load_state(file)
    file.write_bytes(content[:-100] + b"\1" * 100)
    with pytest.raises(StorageError, match="is damaged"):
        load_state(file)
    with pytest.raises(StorageError, match="cannot be written"):
        save_state(tmp_path / "nowhere" / "state", {})


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    state = {
        "large": 2**127 + 1,
        "infinite": float("inf"),
        "exact": 0.1 + 0.2,
        "nested": [{"none": None}, [True, "text"]],
        "empty": np.zeros((0, 3)),
        "flags": np.array([True, False]),
        "strided": np.arange(12).reshape(3, 4).T,
    }
    save_state(tmp_path / "state", state)
    found = load_state(tmp_path / "state")
    assert list(found) == list(state)
    for name, value in state.items():
        if isinstance(value, np.ndarray):
            assert found[name].dtype == value.dtype
            np.testing.assert_array_equal(found[name], value)
        else:
            assert found[name] == value


arrays = st.lists(st.integers(0, 9), max_size=4).map(lambda values: np.array(values, np.int64))
genotypes = st.lists(st.integers(0, 9), min_size=3, max_size=3).map(np.array)
plain = st.none() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()


@settings(deadline=None)
@given(
    rows=st.lists(arrays, max_size=5),
    digests=st.lists(st.binary(), max_size=5),
    mixed=st.lists(plain | st.tuples(plain, plain), max_size=5),
    solutions=st.lists(
        st.none()
        | st.builds(Solution, genotypes, st.none() | st.tuples(st.floats(-9, 9), st.floats(-9, 9))),
        max_size=6,
    ),
)
def test_all_that_a_state_may_hold_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[Any],
    digests: list[bytes],
    mixed: list[Any],
    solutions: list[Solution | None],
) -> None:
    file = tmp_path_factory.mktemp("search") / "state"
    save_state(
        file, {"rows": rows, "digests": digests, "mixed": mixed, "deep": {"solutions": solutions}}
    )
    found = load_state(file)
    assert [one.tolist() for one in found["rows"]] == [one.tolist() for one in rows]
    assert (found["digests"], found["mixed"]) == (digests, mixed)

    def shown(one: Solution | None) -> Any:
        return one and (one.genotype.tolist(), one.objectives)

    assert list(map(shown, found["deep"]["solutions"])) == list(map(shown, solutions))

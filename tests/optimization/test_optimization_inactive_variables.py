"""Variation that heeds which variables a solution depends on."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optimization_cases import ACCURACY_MACS, accuracy_and_macs, lotz

from netstitch.errors import SearchError
from netstitch.optimization import (
    Archive,
    Evaluation,
    Genotype,
    Initialisation,
    Problem,
    SearchSettings,
    SerialExecutor,
    Setup,
    Solution,
    run_search,
)
from netstitch.optimization.algorithms.gomea import gomea
from netstitch.optimization.operators.gene_pool_mixing import Mixing
from netstitch.optimization.operators.variation import (
    nothing,
    offered,
    offered_by_all,
    settled,
)

VARIATIONS = ("ga", "gomea", "lk-gomea")


def up_to_the_first_zero(genotype: Genotype) -> npt.NDArray[np.bool_]:
    """A path ends at the first 0: what comes behind it does not matter."""
    return np.cumprod(np.concatenate([[1], genotype[:-1] != 0])).astype(np.bool_)


def signature(genotype: Genotype) -> bytes:
    return np.where(up_to_the_first_zero(genotype), genotype, 0).tobytes()


PROBLEM = Problem((3,) * 12, ACCURACY_MACS, signature=signature, active=up_to_the_first_zero)

Genotypes = st.lists(st.integers(0, 2), min_size=12, max_size=12).map(np.array)


def evaluate(genotype: Genotype) -> tuple[float, float]:
    """The steps of the path, and what they cost: those with value 2 half as much."""
    path = genotype[: int(np.cumprod(genotype != 0).sum())]
    return float(len(path)), float((2 / np.maximum(path, 1)).sum())


def search(algorithm: str, **settings: Any) -> list[Evaluation]:
    records: list[Evaluation] = []
    run_search(
        PROBLEM,
        SerialExecutor(evaluate),
        SearchSettings(evaluations=400, algorithm=algorithm, population=16, settings=settings),
        seed=2,
        initialisation=Initialisation(probability=0.5, uniform=()),
        on_evaluation=records.append,
    )
    return records


def idle_ones(genotype: Genotype) -> int:
    """Values that matter to nothing and are not 0."""
    return int(genotype[~up_to_the_first_zero(genotype)].sum())


@given(donor=Genotypes, own=Genotypes)
def test_only_what_is_active_in_a_parent_is_offered(donor: Genotype, own: Genotype) -> None:
    active = up_to_the_first_zero(donor)
    kept = offered(PROBLEM, "kept", donor, own)
    for variable in range(12):
        assert kept[variable] == (donor if active[variable] else own)[variable]
    assert offered(PROBLEM, "copied", donor, own) is donor


@given(donors=st.lists(Genotypes, min_size=1, max_size=4), own=Genotypes)
def test_donors_offer_nothing_where_they_are_inactive(donors: list[Any], own: Genotype) -> None:
    table = np.array(donors).astype(np.uint8)
    found = offered_by_all(PROBLEM, "kept", table)
    assert found.dtype == np.uint8
    for row, donor in zip(found, donors, strict=True):
        active = up_to_the_first_zero(donor)
        assert (row[active] == donor[active]).all()
        assert (row[~active] == nothing(table)).all()
    assert offered_by_all(PROBLEM, "copied", table) is table


@given(donor=Genotypes, own=Genotypes)
def test_mixing_takes_only_what_is_offered(donor: Genotype, own: Genotype) -> None:
    donors = offered_by_all(PROBLEM, "kept", donor.astype(np.uint8)[None])
    mixing = Mixing(Solution(own, (0.0, 0.0)), [np.arange(12)], donors)
    child = mixing.next(np.random.default_rng(0))
    expected = offered(PROBLEM, "kept", donor, own)
    if (expected == own).all():
        assert child is None
    else:
        assert child is not None
        np.testing.assert_array_equal(child, expected)


@given(Genotypes)
def test_a_reset_genotype_means_the_same_and_has_no_idle_values(genotype: Genotype) -> None:
    before = signature(genotype)
    found = settled(PROBLEM, "reset", genotype.copy())
    assert signature(found) == before
    assert idle_ones(found) == 0
    assert settled(PROBLEM, "copied", genotype) is genotype


@pytest.mark.parametrize("algorithm", VARIATIONS)
def test_reset_searches_never_propose_idle_values(algorithm: str) -> None:
    assert max(idle_ones(one.genotype) for one in search(algorithm)) > 0
    records = search(algorithm, inactive="reset")
    assert len(records) > 5
    assert max(idle_ones(one.genotype) for one in records) == 0


@pytest.mark.parametrize("algorithm", VARIATIONS)
@pytest.mark.parametrize("inactive", ["copied", "kept", "reset"])
def test_each_way_searches_in_its_own_way(algorithm: str, inactive: str) -> None:
    records = search(algorithm, inactive=inactive)
    plain = search(algorithm)
    genotypes = [[one.genotype.tolist() for one in some] for some in (records, plain)]
    assert (genotypes[0] == genotypes[1]) == (inactive == "copied")


def test_what_is_reset_to_the_solution_itself_is_not_proposed() -> None:
    problem = Problem((2,) * 12, ACCURACY_MACS, signature=signature, active=up_to_the_first_zero)
    generator = np.random.default_rng(0)
    setup = Setup(
        problem,
        8,
        Initialisation(probability=0.5, uniform=()),
        np.empty((0, 12), dtype=np.int64),
        Archive(problem.objectives),
        None,
        generator,
    )
    algorithm = gomea(setup, inactive="reset")
    for slot in range(8):
        first = algorithm.propose(slot)
        assert first is not None
        algorithm.receive(slot, Solution(first, evaluate(first)), False)
    for _ in range(40):
        before = [one.genotype for one in algorithm.population.members if one is not None]
        child = algorithm.propose(0)
        if child is None:
            break
        assert not np.array_equal(child, before[0])
        algorithm.receive(0, Solution(child, (-1.0, 9.0)), False)  # worse: the slot stays


@pytest.mark.parametrize("algorithm", VARIATIONS)
def test_what_cannot_be_heeded_is_refused(algorithm: str) -> None:
    with pytest.raises(
        SearchError, match=r"inactive is 'dropped'.* expected 'copied', 'kept' or 'reset'"
    ):
        search(algorithm, inactive="dropped")
    with pytest.raises(SearchError, match="does not say which variables are active"):
        run_search(
            lotz(5),
            SerialExecutor(accuracy_and_macs),
            SearchSettings(
                evaluations=20, population=4, algorithm=algorithm, settings={"inactive": "kept"}
            ),
            seed=0,
        )

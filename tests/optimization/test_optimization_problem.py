import numpy as np
import pytest
from optimization_cases import ACCURACY_MACS

from netstitch.errors import SearchError
from netstitch.optimization.problem import Objective, Problem, as_costs


def test_without_a_signature_only_equal_genotypes_are_the_same() -> None:
    problem = Problem((300, 2), ACCURACY_MACS)
    one = problem.identify(np.array([257, 1]))
    assert one == problem.identify(np.array([257, 1]))
    assert one != problem.identify(np.array([1, 1]))  # 257 does not fit into 8 bits


def test_a_signature_decides_what_is_the_same() -> None:
    problem = Problem((9, 2), ACCURACY_MACS, signature=lambda genotype: int(genotype[1]))
    assert problem.identify(np.array([3, 1])) == problem.identify(np.array([5, 1]))


@pytest.mark.parametrize(
    "cardinalities, objectives, message",
    [
        ((), ACCURACY_MACS, "no variables"),
        ((2, 0), ACCURACY_MACS, "variable 1 has cardinality 0"),
        ((2,), (), "no objectives"),
        ((2,), (Objective("a"), Objective("a")), "share a name"),
    ],
)
def test_a_problem_that_cannot_be_searched_is_refused(
    cardinalities: tuple[int, ...], objectives: tuple[Objective, ...], message: str
) -> None:
    with pytest.raises(SearchError, match=message):
        Problem(cardinalities, objectives)


def test_an_unknown_objective_is_named_with_those_there_are() -> None:
    with pytest.raises(SearchError, match="'speed': the problem has accuracy, macs"):
        Problem((2,), ACCURACY_MACS).column("speed")


def test_what_is_computed_must_be_an_objective() -> None:
    with pytest.raises(SearchError, match="unknown objective 'speed'"):
        Problem((2,), ACCURACY_MACS, computed={"speed": lambda _: 0.0})


@pytest.mark.parametrize(
    "genotype, message",
    [
        ([0], r"shape \(1,\)"),
        ([0, 0.5], "float64"),
        ([0, 3], "value 3 at variable 1: expected 0 to 2"),
        ([-1, 0], "value -1 at variable 0"),
    ],
)
def test_genotypes_from_outside_are_checked(genotype: list[int], message: str) -> None:
    with pytest.raises(SearchError, match=message):
        Problem((2, 3), ACCURACY_MACS).checked(genotype)


def test_costs_turn_the_sign_of_what_is_maximised() -> None:
    assert as_costs(ACCURACY_MACS, (0.9, 5.0)) == (-0.9, 5.0)

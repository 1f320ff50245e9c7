from typing import Any

import pytest
from optimization_cases import ACCURACY_MACS, accuracy_and_macs

from netstitch.errors import SearchError
from netstitch.optimization import (
    Budget,
    Genotype,
    Initialisation,
    Problem,
    SerialExecutor,
    Threshold,
    run_search,
)

PROBLEM = Problem((2, 2, 3), ACCURACY_MACS)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"population": 3}, "population is 3: give a whole number of at least 4"),
        ({"budget": Budget(9)}, "budget of 9 evaluations is smaller than the population of 10"),
        ({"algorithm": "gaa"}, "unknown algorithm 'gaa'.*did you mean 'ga'"),
        ({"settings": {"rate": 1}}, "no setting 'rate'"),
        ({"threshold": Threshold("loss", 0.5)}, "unknown objective 'loss'"),
        ({"threshold": Threshold("loss", 0.5), "algorithm": "random"}, "unknown objective"),
        ({"initial": [[0, 0, 0]] * 11}, "11 initial genotypes for a population of 10"),
        ({"initial": [[0, 0, 3]]}, "value 3 at variable 2"),
        ({"initialisation": Initialisation(uniform=(3,))}, "variable 3: the problem has 3"),
        ({"patience": 0}, "patience is 0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_bad_input_is_refused_before_anything_is_evaluated(
    options: dict[str, Any], message: str
) -> None:
    def never(genotype: Genotype) -> tuple[float, ...]:
        raise AssertionError("evaluated")

    options = {"population": 10, "budget": Budget(20), **options}
    with pytest.raises(SearchError, match=message) as caught:
        run_search(PROBLEM, SerialExecutor(never), **options)
    assert "\n" not in str(caught.value)


def test_a_small_space_is_found_whole_and_ends_by_patience() -> None:
    result = run_search(
        PROBLEM,
        SerialExecutor(accuracy_and_macs),
        population=4,
        budget=Budget(10**9),
        patience=300,
    )
    assert result.stopped == "patience"
    assert result.evaluated == 12


def test_the_initialisation_can_be_set() -> None:
    seen: list[list[int]] = []
    run_search(
        Problem((2,) * 6, ACCURACY_MACS),
        SerialExecutor(accuracy_and_macs),
        population=8,
        budget=Budget(8),
        initialisation=Initialisation(probability=1.0, uniform=()),
        on_evaluation=lambda one: seen.append(one.genotype.tolist()),
    )
    assert seen == [[1] * 6]

from typing import Any

import pytest
from optimization_cases import ACCURACY_MACS, accuracy_and_macs

from netstitch.errors import SearchError
from netstitch.optimization import (
    Genotype,
    Initialisation,
    Problem,
    SearchSettings,
    SerialExecutor,
    run_search,
)

PROBLEM = Problem((2, 2, 3), ACCURACY_MACS)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"initial": [[0, 0, 0]] * 11}, "11 initial genotypes for a population of 10"),
        ({"initial": [[0, 0, 3]]}, "value 3 at variable 2"),
        ({"initialisation": Initialisation(uniform=(3,))}, "variable 3: the problem has 3"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_bad_input_is_refused_before_anything_is_evaluated(
    options: dict[str, Any], message: str
) -> None:
    def never(genotype: Genotype) -> tuple[float, ...]:
        raise AssertionError("evaluated")

    settings = SearchSettings(population=10, evaluations=20)
    with pytest.raises(SearchError, match=message) as caught:
        run_search(PROBLEM, SerialExecutor(never), settings, **options)
    assert "\n" not in str(caught.value)


def test_a_small_space_is_found_whole_and_ends_by_patience() -> None:
    result = run_search(
        PROBLEM,
        SerialExecutor(accuracy_and_macs),
        SearchSettings(population=4, evaluations=10**9, patience=300),
        seed=0,
    )
    assert result.stopped == "patience"
    assert result.evaluated == 12


def test_the_initialisation_can_be_set() -> None:
    seen: list[list[int]] = []
    run_search(
        Problem((2,) * 6, ACCURACY_MACS),
        SerialExecutor(accuracy_and_macs),
        SearchSettings(population=8, evaluations=8),
        initialisation=Initialisation(probability=1.0, uniform=()),
        on_evaluation=lambda one: seen.append(one.genotype.tolist()),
        seed=0,
    )
    assert seen == [[1] * 6]

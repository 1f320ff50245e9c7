from typing import Any

import numpy as np
import pytest

from netstitch.errors import SearchError
from netstitch.optimization import Budget, SearchSettings


@pytest.mark.parametrize(
    "given, message",
    [
        ({"population": 3}, "population is 3; expected a whole number of 4 or more, or 'sweep'"),
        ({"population": 10, "evaluations": 9}, "budget of 9 evaluations is smaller than the pop"),
        ({"population": "sweep", "evaluations": 100}, "begins with 128.*give a larger budget"),
        ({"algorithm": "gaa"}, "algorithm is 'gaa'; did you mean 'ga'"),
        ({"algorithm": 5}, "algorithm is 5; expected an algorithm's name"),
        ({"settings": {"rate": 1}}, "no setting 'rate'"),
        ({"patience": 0}, "patience is 0; expected 1 or more"),
        ({"threshold": float("nan")}, "threshold is nan; expected a finite number"),
        ({"evaluations": 20.5}, "evaluations is 20.5; expected a valid integer"),
        ({"budget": 5}, "search has no setting 'budget'; expected one of algorithm"),
    ],
)
def test_settings_that_cannot_be_used_are_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=message) as caught:
        SearchSettings(**given)
    assert "\n" not in str(caught.value)


def test_without_an_end_there_is_a_budget_of_evaluations() -> None:
    assert SearchSettings().budget == Budget(20_000)
    assert SearchSettings(seconds=5.0).budget == Budget(None, 5.0)
    assert SearchSettings(evaluations=None, seconds=5.0).budget == Budget(None, 5.0)


def test_numbers_of_numpy_are_taken() -> None:
    settings = SearchSettings(population=np.int64(8), seconds=np.float64(2.0))
    assert (settings.population, settings.seconds) == (8, 2.0)
    assert type(settings.population) is int


def test_a_sweep_has_the_sizes_that_its_budget_allows() -> None:
    settings = SearchSettings(population="sweep", evaluations=600)
    assert settings.sizes == (128, 256, 512)
    with pytest.raises(SearchError, match="a search of each size"):
        settings.size  # noqa: B018
    assert settings.changed(population=256).size == 256
    assert SearchSettings(population=8).sizes == (8,)


def test_patience_grows_with_the_population() -> None:
    assert SearchSettings().unfruitful_proposals == 10_000
    assert SearchSettings(population=2048).unfruitful_proposals == 204_800
    assert SearchSettings(patience=7).unfruitful_proposals == 7


def test_no_settings_of_an_algorithm_are_none() -> None:
    assert SearchSettings(settings=None).settings == {}

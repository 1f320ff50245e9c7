"""A search of what is no supernet, no task, or with settings of another kind is one line."""

import pydoc
from dataclasses import replace
from typing import Any, get_type_hints

import pytest
import torch
from small_supernets import random_samples, random_task, small_supernet

import netstitch as ns
from netstitch.errors import DataError, FittingError, SearchError
from netstitch.files.settings import setting_text
from netstitch.searching.supernet_search_settings import SearchKeywords, SupernetSearchSettings
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Classification


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return small_supernet()


def refused(supernet: Any, task: Any, **settings: Any) -> str:
    with pytest.raises(ns.NetstitchError) as caught:
        ns.search(supernet, task, **{"budget": 20, "population": 8, **settings})
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("task", "named"),
    [
        (None, "None"),
        ((torch.rand(4, 2, 6, 6), torch.zeros(4)), "a tuple (Tensor, Tensor)"),
        ({}, "a dict"),
        (random_samples(9), "a Samples"),
        (7, "an int"),
    ],
)
def test_what_is_no_task_is_named(supernet: Supernet, task: Any, named: str) -> None:
    text = refused(supernet, task)
    assert f"the task is {named}" in text
    assert "ns.Classification(" in text


def test_a_class_in_the_place_of_a_task(supernet: Supernet) -> None:
    assert "the class Classification; give an instance" in refused(supernet, Classification)


def test_what_is_no_supernet_is_named(supernet: Supernet) -> None:
    task = random_task()
    assert "the supernet is a Network" in refused(supernet.networks[0], task)
    assert "the supernet is a Classification" in refused(task, supernet)


@pytest.mark.parametrize("part", ["validation", "training", "test"])
def test_samples_of_another_size_name_both_shapes(supernet: Supernet, part: str) -> None:
    """They would be computed without a word, at another cost than what is shown."""
    task = random_task()
    large = {
        name: replace(samples, inputs=torch.rand(len(samples), 2, 9, 9))
        for name in ("validation", "training", "test")
        if (samples := getattr(task, name)) is not None
    }
    text = refused(supernet, replace(task, **large))
    assert "(batch, 2, 9, 9)" in text
    assert "(batch, 2, 6, 6)" in text


@pytest.mark.parametrize(
    ("settings", "error", "expected"),
    [
        ({"threshold": "high"}, SearchError, "threshold is 'high'; expected a valid number"),
        ({"seconds": "60"}, SearchError, "60 seconds: give a positive number"),
        ({"settings": ["size"]}, SearchError, "settings is ['size']; expected a valid dictionary"),
        ({"patience": "long"}, SearchError, "patience is 'long'"),
        ({"initial_stitches": None}, SearchError, "initial_stitches is None"),
        ({"initial_stitches": 0}, SearchError, "initial_stitches is 0; expected more than 0"),
        ({"form": "fast"}, SearchError, "netstitch.evaluation.NumericsConfig"),
        ({"spread": 4}, SearchError, "netstitch.evaluation.ExecutionConfig"),
        ({"device": None}, SearchError, "such as 'cpu'"),
        ({"algorithm": 3}, SearchError, "algorithm is 3"),
        ({"recalibration": 3}, FittingError, "the batches are a int"),
        ({"recalibration": []}, FittingError, "no samples"),
        ({"recalibration": [torch.rand(8, 2, 9, 9)]}, FittingError, "(8, 2, 9, 9)"),
        ({"recalibration": torch.rand(8, 2, 6, 6)}, FittingError, "are one tensor"),
    ],
)
def test_settings_of_another_kind(
    supernet: Supernet, settings: dict[str, Any], error: type[ns.NetstitchError], expected: str
) -> None:
    with pytest.raises(error):
        ns.search(supernet, random_task(), **{"budget": 20, "population": 8, **settings})
    assert expected in refused(supernet, random_task(), **settings)


def test_a_setting_that_there_is_not_gets_the_nearest_name(supernet: Supernet) -> None:
    assert "search has no setting 'algoritm'; did you mean 'algorithm'? expected one of" in (
        refused(supernet, random_task(), algoritm="ga")
    )


def test_help_shows_every_setting_with_its_text() -> None:
    text = pydoc.render_doc(ns.search, renderer=pydoc.plaintext)
    for name in SupernetSearchSettings.model_fields:
        if name not in ("evaluations", "count_skipped"):  # one is the budget, one of files
            assert f"{name}: " in text
            assert setting_text(SupernetSearchSettings, name)[:30] in text
    assert "seconds: float | None = None" in text


def test_keywords_have_the_types_of_the_settings() -> None:
    fields = SupernetSearchSettings.model_fields
    types, keywords = get_type_hints(SupernetSearchSettings), get_type_hints(SearchKeywords)
    assert keywords.keys() == fields.keys() - {"evaluations", "count_skipped"}
    assert keywords == {name: types[name] for name in keywords}


def test_a_task_of_other_things_than_samples() -> None:
    pair: Any = (torch.rand(4, 2, 6, 6), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(DataError, match=r"validation is a tuple \(Tensor, Tensor\); expected"):
        ns.Classification(validation=pair, classes=3)
    listed: Any = [1.0, 2.0]
    with pytest.raises(DataError, match=r"inputs are a list .*; expected a dense tensor"):
        ns.Samples(listed, listed)
    number: Any = "3"
    with pytest.raises(DataError, match="classes is '3'; give their number"):
        ns.Classification(validation=random_samples(4), classes=number)


def test_parts_of_a_race_are_ascending(supernet: Supernet) -> None:
    for racing in ([768, 768], [2048, 768]):
        text = refused(supernet, random_task(), racing=racing)
        assert "expected sizes of parts in ascending order, such as [768, 2048]" in text
    assert "racing" in refused(supernet, random_task(), racing=[0])

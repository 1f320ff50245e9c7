import json
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from netstitch.errors import ExperimentError
from netstitch.experiments import Experiment
from netstitch.experiments.run_settings import AdamTable, LeastSquaresTable
from netstitch.files.settings import setting_text
from netstitch.fitting.fit_settings import AdamSettings
from netstitch.matching import OBJECTIVES, POINTS
from netstitch.matching.matching_settings import MatchingSettings
from netstitch.optimization import Budget

SMALLEST = {
    "networks": [{"model": "m.py:net"}, {"model": "m.py:net"}],
    "task": {"classes": 3, "training": {"source": "a.npz"}, "validation": {"source": "b.npz"}},
}


def experiment(**changes):
    return Experiment(**(SMALLEST | changes))


def read_back(found):
    """The experiment as a run's document keeps it."""
    return Experiment(**json.loads(found.model_dump_json(exclude_none=True)))


def test_a_small_experiment_is_filled_in_with_defaults():
    found = experiment()
    assert found.seed == 1
    assert found.task.kind == "classification"
    assert found.task.test is None
    assert found.fit.method == "least-squares"
    assert found.search.algorithm == "surrogate"
    assert found.search.first_networks == 0.5
    assert found.evaluation.device == "cpu"


def test_networks_get_distinct_names():
    models = ["m.py:net", "timm:resnet18", "m.py:net", "m.py:other"]
    tables = [{"model": model} for model in models]
    tables[3]["name"] = "net_2"
    names = [network.name for network in experiment(networks=tables).networks]
    assert names == ["net", "resnet18", "net_3", "net_2"]


def test_settings_of_a_method_are_arguments_of_it():
    assert experiment().fit_settings == {
        "method": "least-squares",
        "ridge": 1e-4,
        "holdout": 0.125,
        "memory_budget": 2_000_000_000,
        "positions": 1024,
    }
    settings = experiment(seed=7, fit={"method": "adam", "samples": 64}).fit_settings
    assert settings.pop("method") == "adam"
    assert (settings["seed"], settings["samples"]) == (7, 64)
    assert settings.keys() <= AdamSettings.model_fields.keys()


@pytest.mark.parametrize(
    "table, budget",
    [
        ({}, Budget(20_000)),
        ({"evaluations": 100}, Budget(100)),
        ({"seconds": 60.0}, Budget(None, 60.0)),
        ({"evaluations": 100, "seconds": 5, "count_skipped": False}, Budget(100, 5.0, False)),
    ],
)
def test_budgets(table, budget):
    assert experiment(search=table).search.budget == budget


def test_the_resolved_form_reads_back_as_the_same():
    found = experiment(
        name='quoted "name"\n',
        folder="/somewhere",
        fit={"method": "adam"},
        search={"seconds": 1.5},
    )
    assert read_back(found) == found
    assert "evaluations" not in found.model_dump(exclude_none=True)["search"]


def test_paths_start_from_the_folder():
    found = experiment(folder="/data")
    assert found.located("a/b.npz") == Path("/data/a/b.npz")
    assert found.located("/c.npz") == Path("/c.npz")


@pytest.mark.parametrize("table", [{"device": "gpu"}, {"threads": -1}])
def test_an_evaluation_that_cannot_be(table):
    with pytest.raises(ExperimentError):
        experiment(evaluation=table)


def test_every_way_to_match_can_be_asked_for():
    known = {"points": POINTS, "objective": OBJECTIVES}
    for key, values in known.items():
        field = MatchingSettings.model_fields[key]
        assert get_args(field.annotation) == values


def test_the_papers_procedure_is_one_setting_and_own_keys_come_first():
    plain = SMALLEST | {"procedure": "paper"}
    found = Experiment(**plain)
    assert found.matching.points == "all"
    assert found.matching.objective == "count"
    assert found.fit.method == "adam"
    assert found.refine_settings is None
    assert found.search.references == "apart"
    assert experiment().search.references == "first"
    assert read_back(found) == found
    own = Experiment(**(plain | {"fit": {"samples": 64}}))
    assert (own.fit.method, own.fit.samples) == ("adam", 64)
    assert found.fit_settings["holdout"] == own.fit_settings["holdout"] == 0
    assert found.fit_settings["schedule"] == own.fit_settings["schedule"] == "constant"
    assert experiment(fit={"method": "adam"}).fit_settings["schedule"] == "cosine"
    solved = Experiment(**(plain | {"fit": {"method": "least-squares"}}))
    assert solved.fit_settings["holdout"] == 0.125  # Adam's keys are none of it
    own = Experiment(**(plain | {"evaluation": {"recalibrate": 50}}))
    assert own.evaluation.recalibrate == 50


def test_a_table_that_says_how_to_refine_asks_for_it_in_the_papers_procedure_too():
    found = experiment(procedure="paper", refine={"steps": 500})
    assert found.refine_settings is not None
    assert found.refine_settings["steps"] == 500
    assert read_back(found) == found
    assert experiment(procedure="paper", refine={}).refine_settings is None
    off = {"enabled": False, "steps": 500}
    assert experiment(procedure="paper", refine=off).refine_settings is None


def test_cascades_are_none_of_the_papers_procedure_unless_a_table_asks_for_them():
    assert experiment().cascades.enabled
    found = experiment(procedure="paper")
    assert not found.cascades.enabled
    assert read_back(found) == found
    asked = experiment(procedure="paper", cascades={"stages": 3})
    assert (asked.cascades.enabled, asked.cascades.stages) == (True, 3)


def test_the_default_procedure_refines():
    found = experiment()
    assert found.fit.method == "least-squares"
    assert found.refine_settings is not None


def test_refining_can_be_left_out():
    assert experiment(refine={"enabled": False}).refine_settings is None


def test_every_key_is_described():
    def check(model):
        for name, field in model.model_fields.items():
            assert setting_text(model, name), f"{model.__name__}.{name}"
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                check(field.annotation)

    check(Experiment)
    check(LeastSquaresTable)
    check(AdamTable)

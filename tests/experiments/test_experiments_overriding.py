"""Options of the command line take the place of keys of the file."""

from netstitch.experiments import Experiment, override

FILE = {
    "networks": [{"model": "m.py:net"}, {"model": "m.py:net"}],
    "task": {"classes": 3, "training": {"source": "a.npz"}, "validation": {"source": "b.npz"}},
    "matching": {"objective": "balanced"},
    "fit": {"ridge": 0.5, "batch": 16},
    "refine": {"steps": 500},
    "search": {"evaluations": 500, "population": 16},
    "evaluation": {"threads": 3, "recalibrate": 50},
    "cascades": {"stages": 3},
}


def test_the_papers_procedure_takes_the_place_of_what_the_file_says():
    asked = Experiment.model_validate(FILE)
    found = override(asked, seed=7, search={}, procedure="paper")
    assert (found.matching.points, found.matching.objective) == ("all", "count")
    assert (found.fit_settings["method"], found.fit_settings["seed"]) == ("adam", 7)
    assert found.refine_settings is None
    assert not found.cascades.enabled
    assert found.evaluation.recalibrate == 0
    assert found.evaluation.threads == 3  # no matter of the procedure
    assert (found.evaluation.in_flight, found.evaluation.order) == (0, "finished")
    assert found.search.references == "apart"
    assert (found.search.evaluations, found.search.population) == (500, 16)  # as the file says
    back = override(found, procedure="netstitch")
    assert back.search == asked.search
    assert (back.evaluation.in_flight, back.evaluation.order) == (16, "asked")


def test_the_papers_procedure_takes_an_algorithm_of_the_papers():
    def chosen(search):
        asked = Experiment.model_validate(FILE | {"search": search})
        found = override(asked, procedure="paper").search
        return found.algorithm, found.settings

    assert chosen({"settings": {"candidates": 512}}) == ("ga", {})  # those of the surrogate
    settings = {"donors": "population"}
    assert chosen({"algorithm": "lk-gomea", "settings": settings}) == ("lk-gomea", settings)


def test_an_option_comes_before_the_papers_procedure():
    asked = Experiment.model_validate(FILE)
    found = override(asked, procedure="paper", evaluation={"in_flight": 7, "order": "asked"})
    assert (found.evaluation.in_flight, found.evaluation.order) == (7, "asked")
    assert found.fit.method == "adam"


def test_a_file_of_the_papers_procedure_keeps_its_numbers():
    asked = Experiment.model_validate(
        FILE
        | {"procedure": "paper", "evaluation": {"in_flight": 90}, "refine": {}}
        | {"fit": {"method": "adam", "learning_rate": 1e-2}}
    )
    assert (asked.evaluation.in_flight, asked.evaluation.order) == (90, "finished")
    assert override(asked, procedure="paper") == asked
    other = override(asked, procedure="netstitch")
    assert (other.evaluation.in_flight, other.evaluation.order) == (90, "asked")
    assert other.fit.method == "least-squares"


def test_without_a_procedure_the_file_is_kept():
    asked = Experiment.model_validate(FILE)
    assert override(asked, seed=None, search={}) == asked

"""Runs: what a folder holds, and what bad input and interruptions leave of it."""

import contextlib
import csv
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from run_examples import Interrupting, InterruptingRefining, Quiet, write_experiment
from torch import nn

import netstitch as ns
from netstitch.costs import MULTIPLY_ADDS, Cost
from netstitch.errors import (
    CaptureError,
    DataError,
    ExperimentError,
    FittingError,
    NetstitchError,
    SearchError,
    StorageError,
)
from netstitch.evaluation import Store
from netstitch.events import Advanced, Event, Listener
from netstitch.experiments import RunSettings, load_models, load_task, override, read_experiment
from netstitch.records import read_document
from netstitch.records.run_folder import locked
from netstitch.records.run_record import read_run
from netstitch.report import page
from netstitch.runs import preparing, searching_step
from netstitch.runs.recorded_run import open_run
from netstitch.runs.run import Finished, carry_out, resume
from netstitch.supernet.supernet_loading import load_supernet
from netstitch.tasks import Views

CONTENT = [
    *("evaluations.sqlite", "front.csv", "front.json", "front.png"),
    *("run.json", "run.log", "search.csv", "stitches.csv", "supernet"),
]
REFINING = ["refining.safetensors", "run.json", "run.log", "stitches.csv", "supernet"]

GA = {"algorithm": "ga"}


def carry(
    folder: Path,
    *changes: tuple[str, str],
    listener: Listener | None = None,
    models: list[tuple[str, nn.Module]] | None = None,
) -> Finished:
    """Run the tiny experiment, written into `folder`, with the run in `folder`/run."""
    asked = read_experiment(write_experiment(folder, *changes))
    return carry_out(
        asked,
        models or load_models(asked),
        load_task(asked),
        folder / "run",
        listener or Quiet(),
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return carry(tmp_path_factory.mktemp("finished"))


def content(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_run_folder_holds_all_that_was_found(finished: Finished) -> None:
    assert content(finished.folder) == CONTENT
    assert open_run(finished.folder).front == finished.front
    assert (finished.folder / "front.png").read_bytes().startswith(b"\x89PNG")


def test_run_json_says_what_was_asked_and_what_came_of_it(finished: Finished) -> None:
    document = json.loads((finished.folder / "run.json").read_text())
    assert document["format"] == "netstitch-run-6"
    assert document["name"] == "tiny"
    assert list(document["networks"]) == ["wide", "deep"]
    assert document["matches"] == len(finished.supernet.matching)
    assert document["config"]["search"]["evaluations"] == 60
    assert document["config"]["fit"]["ridge"] == 1e-4  # defaults are filled in
    assert document["versions"]["torch"] == torch.__version__
    assert set(document["seconds"]) == {
        "capture",
        "match",
        "supernet",
        "fit",
        "refine",
        "exits",
        "search and test",
        "cascades",
    }
    outcome = document["outcome"]
    assert outcome["stopped"] == finished.outcome.stopped == "budget"
    assert outcome["evaluations"] + outcome["skipped"] == 60
    assert outcome["spread"] | {"device": "cpu", "workers": 1} == outcome["spread"]


def test_the_store_has_a_row_for_each_evaluation(finished: Finished) -> None:
    connection = sqlite3.connect(finished.folder / "evaluations.sqlite")
    rows = connection.execute(
        "SELECT genotype, objectives ->> 'accuracy', objectives ->> 'multiply-adds'"
        " FROM evaluations"
    ).fetchall()
    connection.close()
    assert len(rows) == finished.outcome.evaluations
    for genotype, _, multiply_adds in rows:
        values = np.frombuffer(genotype, dtype=np.uint16)
        assert finished.supernet.macs(values) == multiply_adds
    best = max(point.validation for point in finished.front)
    assert max(accuracy for _, accuracy, _ in rows) == best


def test_how_many_stitches_were_in_use_is_a_table(finished: Finished) -> None:
    with (finished.folder / "search.csv").open() as file:
        rows = list(csv.DictReader(file))
    used = [int(row["used"]) for row in rows]
    assert len(rows) > 10
    assert used == sorted(used)
    assert int(rows[-1]["evaluated"]) == finished.outcome.evaluations
    assert int(rows[-1]["skipped"]) == finished.outcome.skipped
    assert any(float(row["active"]) > 0 for row in rows)
    assert all(float(row["active"]) <= float(row["nonzero"]) for row in rows)


def test_a_sweep_keeps_the_best_population(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netstitch.optimization.search_settings.SWEEP_SIZES", (4, 8, 16, 1000))
    done = carry(tmp_path, ("population = 8", 'algorithm = "ga"\npopulation = "sweep"'))
    assert [one.population for one in done.outcome.sweep] == [4, 8, 16]
    outcome = json.loads((done.folder / "run.json").read_text())["outcome"]
    assert [one["population"] for one in outcome["sweep"]] == [4, 8, 16]
    best = max(done.outcome.sweep, key=lambda one: one.hypervolume)
    (tmp_path / "alone").mkdir()
    alone_too = f'algorithm = "ga"\npopulation = {best.population}'
    alone = carry(tmp_path / "alone", ("population = 8", alone_too))
    assert done.front.points == alone.front.points
    assert done.outcome.evaluations == best.evaluated == alone.outcome.evaluations
    connection = sqlite3.connect(done.folder / "evaluations.sqlite")
    signatures = [row[0] for row in connection.execute("SELECT signature FROM evaluations")]
    connection.close()
    assert len(set(signatures)) == len(signatures)
    assert max(one.evaluated for one in done.outcome.sweep) <= len(signatures)
    assert len(signatures) < sum(one.evaluated for one in done.outcome.sweep)


def test_patience_is_the_experiments(tmp_path: Path) -> None:
    asked = "evaluations = 100_000\npatience = 150\nsettings.mutation_rate = 0.0"
    done = carry(tmp_path, ("evaluations = 60", f'algorithm = "ga"\n{asked}'))
    assert done.outcome.stopped == "patience"


def test_settings_of_an_algorithm_reach_it(tmp_path: Path) -> None:
    done = carry(tmp_path, ("[search]", '[search]\nalgorithm = "ga"\nsettings.inactive = "reset"'))
    history = read_run(done.folder).history
    assert history
    assert all(moment.active == moment.nonzero for moment in history)


def test_the_supernet_of_a_run_loads_and_computes_the_same(finished: Finished) -> None:
    loaded = ns.load(finished.folder)
    assert isinstance(loaded, ns.Supernet)
    assert loaded.fit_report == finished.supernet.fit_report
    assert loaded.refine_report == finished.supernet.refine_report
    inputs = torch.randn(5, 6)
    for point in finished.front:
        expected = finished.supernet(inputs, point.genotype)
        assert torch.equal(loaded(inputs, point.genotype), expected)


def test_a_listener_hears_of_each_step(tmp_path: Path) -> None:
    listener = Quiet()
    done = carry(tmp_path, listener=listener)
    assert [stage.split()[0] for stage in listener.stages] == [
        *("capture", "match", "fit", "refine", "exits", "search", "measure", "find", "measure"),
    ]
    assert listener.evaluated == done.outcome.evaluations
    assert any("matches (the maximum)" in line for line in listener.lines)
    assert any(" stitches on " in line for line in listener.lines)


def test_skipped_evaluations_count_as_the_experiment_says(tmp_path: Path) -> None:
    done = carry(tmp_path, ("evaluations = 60", "evaluations = 60\ncount_skipped = false"))
    assert done.outcome.evaluations == 60


def test_the_ensemble_is_formed_as_the_experiment_says(tmp_path: Path) -> None:
    done = carry(tmp_path, ("classes = 3", 'classes = 3\nensemble = "probabilities"'))
    inputs = torch.randn(4, 6)
    networks = [network(inputs).softmax(1) for network in done.supernet.networks]
    ensemble = done.supernet(inputs, done.supernet.genotype("ensemble"))
    assert torch.allclose(ensemble, sum(networks).div(2).log(), atol=1e-6)  # type: ignore[union-attr]
    again = load_supernet(done.folder / "supernet")
    assert again.averaging.rule == "probabilities"


def test_device_and_threads_are_the_experiments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}
    search = searching_step.run_search

    def watched(*args: Any, **settings: Any) -> Any:
        seen.update(settings)
        return search(*args, **settings)

    monkeypatch.setattr(searching_step, "run_search", watched)
    table = '[evaluation]\ndevice = "cpu:0"\nthreads = 3'
    done = carry(tmp_path, ("[evaluation]", table))
    assert (seen["spread"].device, seen["form"].workers) == ("cpu:0", 3)
    outcome = json.loads((done.folder / "run.json").read_text())["outcome"]
    assert outcome["spread"]["device"] == "cpu:0"


def test_outputs_that_are_not_measured_are_left_out_of_the_networks(tmp_path: Path) -> None:
    changes = [
        ('"models.py:wide"\nweights = "wide.safetensors"', '"models.py:two_a"'),
        ('"models.py:deep"\nweights = "deep.safetensors"', '"models.py:two_b"'),
        ("classes = 3", 'classes = 3\noutput = "out"'),
    ]
    done = carry(tmp_path, *changes)
    for graph in done.supernet.graphs:
        assert graph.output_keys == ("out",)
        assert not any("aux" in node.name for node in graph.nodes)
    assert done.supernet.macs(done.supernet.genotype("two_a")) == 6 * 7 + 7 * 5 + 5 * 3
    again = load_supernet(done.folder / "supernet")
    assert again(torch.zeros(2, 6)).keys() == {"out"}


@pytest.mark.parametrize(
    "changes, kind, message",
    [
        ([("models.py:deep", "models.py:branching"), ('weights = "deep.safetensors"', "")],
         CaptureError, "branching"),
        ([("models.py:deep", "models.py:needs_eight"), ('weights = "deep.safetensors"', "")],
         CaptureError, "needs_eight"),
        ([("models.py:deep", "models.py:wider"), ('weights = "deep.safetensors"', "")],
         DataError, r"network 'wider': outputs have shape \(2, 4\)"),
        ([("models.py:deep", "models.py:two_a"), ('weights = "deep.safetensors"', "")],
         DataError, "names none"),
        ([("models.py:deep", "models.py:direct"), ('weights = "deep.safetensors"', "")],
         NetstitchError, "compatible"),
        ([("classes = 3", "classes = 5")], DataError, r"network 'wide': .*expected \(2, 5\)"),
    ],
)  # fmt: skip
def test_bad_models_leave_nothing(
    tmp_path: Path, changes: list[tuple[str, str]], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        carry(tmp_path, *changes)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_not_empty_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("kept")
    listener = Quiet()
    with pytest.raises(StorageError, match="is not empty"):
        carry(tmp_path, listener=listener)
    assert listener.stages == []
    assert content(tmp_path / "run") == ["mine.txt"]


def test_without_training_samples_nothing_is_fitted(tmp_path: Path) -> None:
    asked = read_experiment(write_experiment(tmp_path))
    task = replace(load_task(asked), training=None)
    with pytest.raises(DataError, match="no training samples"):
        carry_out(asked, load_models(asked), task, tmp_path / "run", Quiet())


def test_a_folder_under_a_file_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    asked = read_experiment(write_experiment(tmp_path))
    listener = Quiet()
    with pytest.raises(StorageError, match="is a file"):
        carry_out(asked, [], load_task(asked), tmp_path / "run" / "inner", listener)
    assert listener.stages == []


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert content(carry(tmp_path).folder) == CONTENT


@pytest.mark.parametrize("existed", [False, True])
def test_what_ends_a_run_before_stitches_are_fitted_leaves_the_folder_as_it_was(
    tmp_path: Path, existed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise FittingError("no memory")

    monkeypatch.setattr(ns.Supernet, "fit", broken)
    if existed:
        (tmp_path / "run").mkdir()
    with pytest.raises(FittingError, match="no memory"):
        carry(tmp_path)
    assert (tmp_path / "run").exists() == existed
    assert not existed or content(tmp_path / "run") == []


def test_a_search_in_which_all_fails_keeps_what_was_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise DataError("NaN everywhere")

    monkeypatch.setattr("netstitch.evaluation.Evaluator.together", broken)
    with pytest.raises(SearchError, match="NaN everywhere"):
        carry(tmp_path)
    assert {"evaluations.sqlite", "run.json", "supernet"} <= set(content(tmp_path / "run"))


def test_a_run_that_wants_the_folder_of_another_ends_before_it_does_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    with locked(tmp_path / "run"):
        monkeypatch.setattr(preparing, "capture_all", None)
        with pytest.raises(StorageError, match="is being run by another process"):
            carry(tmp_path)
    assert content(tmp_path / "run") == []
    (tmp_path / "run" / "run.lock").touch()  # as one that was killed leaves it
    monkeypatch.undo()
    assert carry(tmp_path).outcome.stopped == "budget"


def test_no_space_for_the_supernet_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("netstitch.files.folders.os.fsync", full)
        with pytest.raises(StorageError, match="no space left on device"):
            carry(tmp_path)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "place",
    ["preparing.refine_run", "searching_step.Store", "searching_step.run_search"],
)
def test_what_ends_a_run_later_leaves_all_to_go_on_with(
    tmp_path: Path, finished: Finished, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise StorageError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(f"netstitch.runs.{place}", full)
        with pytest.raises(StorageError, match="no space left on device"):
            carry(tmp_path)
    asked = read_experiment(tmp_path / "tiny.toml")
    done = resume(asked, load_task(asked), tmp_path / "run", Quiet())
    assert done.front == finished.front


def test_no_space_during_the_search_keeps_the_evaluations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Store.add

    def full(self: Store, search: int, evaluation: Any) -> None:
        if evaluation.ordinal > 5:
            raise StorageError("e.sqlite cannot be written (full)")
        add(self, search, evaluation)

    monkeypatch.setattr(Store, "add", full)
    with pytest.raises(StorageError, match="full"):
        carry(tmp_path)
    kept = ["evaluations.sqlite", "progress.json", "run.json", "run.log"]
    assert content(tmp_path / "run") == [*kept, "stitches.csv", "supernet"]


def test_ctrl_c_during_the_search_saves_the_front_so_far(tmp_path: Path) -> None:
    budget = ("evaluations = 60", "evaluations = 1_000_000")
    done = carry(tmp_path, budget, listener=Interrupting(after=15))
    assert done.outcome.stopped == "interrupted"
    assert content(done.folder) == sorted([*CONTENT, "progress.json", "search-8.state"])
    assert open_run(done.folder).front == done.front
    outcome = json.loads((done.folder / "run.json").read_text())["outcome"]
    assert (outcome["stopped"], outcome["evaluations"]) == ("interrupted", 15)


@pytest.mark.parametrize("part", ["capture_all", "_fit"])
def test_ctrl_c_before_the_search_leaves_nothing(
    tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(preparing, part, interrupt)
    with pytest.raises(KeyboardInterrupt):
        carry(tmp_path)
    assert not (tmp_path / "run").exists()


def test_ctrl_c_while_refining_keeps_what_goes_on_to_the_same_end(tmp_path: Path) -> None:
    listener = InterruptingRefining()
    with pytest.raises(KeyboardInterrupt):
        carry(tmp_path, listener=listener)
    run = tmp_path / "run"
    assert content(run) == REFINING
    assert listener.lines[-1] == f"netstitch resume {run}"
    fitted = ns.load(run)
    assert isinstance(fitted, ns.Supernet)
    assert fitted.refine_report is None
    asked = read_experiment(tmp_path / "tiny.toml")
    done = resume(asked, load_task(asked), run, Quiet())
    assert content(run) == CONTENT
    (tmp_path / "whole").mkdir()
    whole = carry(tmp_path / "whole")
    for key, weight in whole.supernet.stitch_weights().items():
        assert torch.equal(done.supernet.stitch_weights()[key], weight)
    assert done.front == whole.front


def test_a_supernet_can_be_read_while_it_is_refined(tmp_path: Path) -> None:
    class Reading(Quiet):
        found: Any = None

        def __call__(self, event: Event) -> None:
            if isinstance(event, Advanced) and event.text.startswith("refine"):
                self.found = ns.load(tmp_path / "run")

    listener = Reading()
    done = carry(tmp_path, listener=listener)
    assert listener.found.fit_report == done.supernet.fit_report
    assert listener.found.refine_report is None


@pytest.mark.parametrize("error", [FittingError("of a step"), StorageError("no space")])
def test_an_error_while_refining_keeps_what_was_fitted(
    tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, checkpoint: Path, **__: Any) -> None:
        checkpoint.write_bytes(b"so far")
        raise error

    monkeypatch.setattr(ns.Supernet, "refine", broken)
    with pytest.raises(type(error), match=str(error)):
        carry(tmp_path)
    assert content(tmp_path / "run") == REFINING


def test_stitches_are_refined_on_the_views_that_the_task_declares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def noted(*_: Any, views: Views, **__: Any) -> None:
        raise StorageError(f"{views}")

    monkeypatch.setattr(ns.Supernet, "refine", noted)
    monkeypatch.setattr(Views, "check_images", lambda *_: None)  # the samples are vectors
    with pytest.raises(StorageError, match="padding=1 fill='edge' flip=False"):
        carry(tmp_path, ("[task.training]", "[task.views]\npadding = 1\n[task.training]"))


def test_views_that_cannot_be_are_told_before_stitches_are_fitted(tmp_path: Path) -> None:
    listener, views = Quiet(), "[task.views]\nflip = true\n[task.training]"
    with pytest.raises(FittingError, match=r"views are of images, .* inputs have shape"):
        carry(tmp_path, ("[task.training]", views), listener=listener)
    assert listener.stages == ["capture", "match"]


def test_views_of_a_task_of_ones_own_are_checked(tmp_path: Path) -> None:
    asked = read_experiment(write_experiment(tmp_path))
    given = load_task(asked)
    needed = ("training", "validation", "test", "output", "ensemble")
    called = ("combine", "loss", "accuracy", "correct")
    parts = {name: getattr(given, name) for name in (*needed, *called)}
    task: Any = SimpleNamespace(**parts, views={"mirror": True})
    with pytest.raises(FittingError, match=r"\[views\] has no setting 'mirror'"):
        carry_out(asked, load_models(asked), task, tmp_path / "run", Quiet())


def test_a_teacher_that_is_none_is_told_before_stitches_are_fitted(tmp_path: Path) -> None:
    listener = Quiet()
    with pytest.raises(FittingError, match="there is no teacher 'deeep'"):
        carry(tmp_path, ("steps = 5", 'steps = 5\nteacher = "deeep"'), listener=listener)
    assert listener.stages == ["capture", "match"]
    assert not (tmp_path / "run").exists()


def test_what_refining_could_not_do_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refine = ns.Supernet.refine

    def worse(self: ns.Supernet, *batches: Any, **settings: Any) -> Any:
        report = refine(self, *batches, **settings)
        first, second, *rest = report.rows
        rows = (
            replace(first, kept=True, before=0.1, after=0.2),
            replace(second, kept=True, before=0.2, after=0.1),
            *(replace(row, kept=False) for row in rest),
        )
        return report.model_copy(update={"left_out": 1234, "rows": rows})

    monkeypatch.setattr(ns.Supernet, "refine", worse)
    listener = Quiet()
    carry(tmp_path, listener=listener)
    (line,) = [line for line in listener.lines if "stitches improved" in line]
    assert line.startswith("2 of ")
    assert "; 1 of them slightly worse on other images; 1,234 images did not fit into" in line


def test_images_are_read_in_an_order_of_the_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def watched(name: str) -> None:
        function = getattr(ns.Supernet, name)

        def watch(self: ns.Supernet, batches: Any, **settings: Any) -> Any:
            seen[name] = list(batches)
            return function(self, seen[name], **settings)

        monkeypatch.setattr(ns.Supernet, name, watch)

    watched("fit")
    watched("refine")
    carry(tmp_path, ("seed = 1", "seed = 3"))
    training = load_task(read_experiment(tmp_path / "tiny.toml")).training
    assert training is not None
    expected = training.shuffled(3)
    assert torch.equal(torch.cat(seen["fit"]), expected.inputs)
    inputs, labels = map(torch.cat, zip(*seen["refine"], strict=True))
    assert torch.equal(inputs, expected.inputs)
    assert torch.equal(labels, expected.labels)


def test_a_folder_without_a_front_is_one_line(tmp_path: Path, finished: Finished) -> None:
    with pytest.raises(StorageError, match=r"run\.json is missing"):
        open_run(tmp_path)
    text = (finished.folder / "run.json").read_text()
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(StorageError, match=r"front\.json holds no front"):
        open_run(tmp_path)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"search": {"algorithm": "gaa"}}, "did you mean 'ga'"),
        ({"seed": -1}, "seed is -1"),
        ({"evaluation": {"workers": -1}}, "'workers' in .evaluation. is -1"),
        ({"evaluation": {"device": "gpu"}}, "'device' in .evaluation. is 'gpu'"),
        ({"search": {"population": 3}}, "'population' in .search. is 3"),
        ({"search": GA | {"population": 100, "evaluations": 99}}, "budget of 99"),
        (
            {"search": GA | {"population": "sweep", "evaluations": 99}},
            "begins with 128, and the budget is 99",
        ),
        ({"search": GA | {"settings": {"inactve": "kept"}}}, "did you mean 'inactive'"),
        ({"matching": {"points": "distict"}}, "did you mean"),
        ({"matching": {"objective": "balance"}}, "did you mean"),
    ],
)
def test_settings_that_cannot_be_carried_out_are_none(settings: Any, message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        RunSettings(**settings)


def test_what_this_machine_cannot_do_is_told_before_the_work(tmp_path: Path) -> None:
    asked = read_experiment(write_experiment(tmp_path))
    settings = asked.changed(evaluation=asked.evaluation.changed(device="cuda:99"))
    listener = Quiet()
    with pytest.raises(SearchError, match="cuda:99"):
        carry_out(settings, load_models(asked), load_task(asked), tmp_path / "run", listener)
    assert listener.stages == []


def test_a_cost_of_ones_own_is_no_cost_of_a_run(tmp_path: Path) -> None:
    """A run is read again by what its folder says, which names costs."""
    asked = read_experiment(write_experiment(tmp_path))
    own = Cost("steps", "steps", MULTIPLY_ADDS.of, MULTIPLY_ADDS.together)
    settings = asked.changed(search=asked.search.changed(cost=own))
    with pytest.raises(SearchError, match=r"'steps' is one of your own.*ns\.search\(cost="):
        carry_out(settings, load_models(asked), load_task(asked), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_task_by_its_attributes_and_warnings_without_a_listener(tmp_path: Path) -> None:
    asked = read_experiment(write_experiment(tmp_path))
    whole = load_task(asked)
    names = [
        "training",
        "validation",
        "test",
        "output",
        "ensemble",
        "combine",
        "loss",
        "accuracy",
        "correct",
    ]
    wrong = whole.validation.labels.roll(1)  # so that all networks are at chance
    validation = ns.Samples(whole.validation.inputs, wrong, whole.validation.name)
    alike = SimpleNamespace(**{name: getattr(whole, name) for name in names})
    alike.validation, alike.guessed = validation, whole.guessed
    done = carry_out(asked, load_models(asked), alike, tmp_path / "run")  # type: ignore[arg-type]
    assert any("at chance" in line for line in read_document(done.folder).warnings)


def test_the_experiment_says_where_stitches_stand(tmp_path: Path) -> None:
    asked = '[matching]\npoints = "distinct"\nobjective = "balanced"\n[search]'
    listener = Quiet()
    done = carry(tmp_path, ("[search]", asked), listener=listener)
    networks = [n for n in done.supernet.networks if isinstance(n, ns.Network)]
    expected = ns.match(*networks, points="distinct", objective="balanced")
    assert done.supernet.matching == expected
    line = f"{len(expected)} matches of weight {expected.weight:.2f} (the maximum)"
    assert line in listener.lines


def test_options_replace_what_the_file_says(tmp_path: Path) -> None:
    asked = read_experiment(write_experiment(tmp_path))
    found = override(asked, seed=7, search={"evaluations": 500, "algorithm": None})
    assert (found.seed, found.search.evaluations, found.search.algorithm) == (7, 500, "surrogate")
    assert found.search.population == 8
    assert found.fit_settings == {"method": "least-squares", "ridge": 1e-4, "holdout": 0.125,
                        "memory_budget": 2_000_000_000, "positions": 1024}  # fmt: skip


@pytest.mark.parametrize(
    "seed, search, message",
    [
        (None, {"algorithm": "gaa"}, "'algorithm' in .search. is 'gaa'; did you mean 'ga'"),
        (None, {"population": 1}, "'population' in .search. is 1; expected .*4"),
        (None, GA | {"evaluations": 5}, "the budget of 5 evaluations is smaller than the popul"),
        (-1, {}, "seed is -1; expected .*0"),
        (None, {"seconds": 0.0}, "'seconds' in .search. is 0.0; expected"),
    ],
)
def test_options_that_cannot_be_used(
    tmp_path: Path, seed: int | None, search: dict[str, Any], message: str
) -> None:
    asked = read_experiment(write_experiment(tmp_path))
    with pytest.raises(NetstitchError, match=message) as caught:
        override(asked, seed=seed, search=search)
    assert "Value error" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_a_real_interruption_ends_with_the_front_and_exit_code_0(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, ("evaluations = 60", "evaluations = 100_000_000"))
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "netstitch", "run", str(path), "-o", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        _wait_for_evaluations(folder / "evaluations.sqlite", 10, process)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err.decode()
    left = set(content(folder)) - {"progress.json", "search-8.state"}
    assert left == {*CONTENT, "report.html"}  # of the command line
    assert b"interrupted" in out
    assert len(open_run(folder).front) > 0


def _wait_for_evaluations(path: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        if path.exists():
            connection = sqlite3.connect(path, timeout=5)
            try:
                if connection.execute("SELECT count(*) FROM evaluations").fetchone()[0] >= count:
                    return
            except sqlite3.OperationalError:
                pass  # the table is not there yet
            finally:
                connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    raise AssertionError("the search did not get going")


def test_a_run_against_parameters(tmp_path: Path) -> None:
    done = carry(tmp_path, ("population = 8", 'population = 8\ncost = "parameters"'))
    assert (done.front.cost_name, done.front.unit) == ("parameters", "parameters")
    assert all(point.cost == point.parameters for point in done.front)
    run = read_run(done.folder)
    assert (run.document.cost, run.evaluations.cost_name) == ("parameters", "parameters")
    assert run.front == done.front
    assert "accuracy against parameters" in page(run)
    (done.folder / "front.json").unlink()
    document = json.loads((done.folder / "run.json").read_text())
    del document["outcome"], document["files"]
    (done.folder / "run.json").write_text(json.dumps(document))
    unmeasured = read_run(done.folder).front
    assert unmeasured.cost_name == "parameters"
    assert [one.cost for one in unmeasured.references] == [
        one.cost for one in done.front.references
    ]
    connection = sqlite3.connect(done.folder / "evaluations.sqlite", isolation_level=None)
    for table in ("deliveries", "evaluations"):
        connection.execute(f"DELETE FROM {table}")
    connection.close()
    empty = read_run(done.folder).front
    assert (len(empty), empty.cost_name, empty.unit) == (0, "parameters", "parameters")

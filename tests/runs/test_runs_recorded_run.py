"""A run as its folder tells it."""

import json
from pathlib import Path
from typing import Any

import pytest
from run_examples import Quiet, write_experiment

from netstitch.errors import StorageError
from netstitch.experiments import find_experiment, load_models, load_task, override, read_experiment
from netstitch.files.folders import write_json
from netstitch.records import RunDocument, read_document
from netstitch.records.run_folder import FORMAT, RUN_FILE
from netstitch.runs.recorded_run import recorded_task
from netstitch.runs.run import Finished, carry_out


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("recorded")
    few = ("evaluations = 60", "evaluations = 8")
    asked = read_experiment(write_experiment(folder, few))
    return carry_out(asked, load_models(asked), load_task(asked), folder / "run", Quiet())


def recorded(folder: Path, asked: dict[str, Any]) -> RunDocument:
    """The document of a run that was asked something."""
    document = {"config": asked, "versions": {}, "networks": {}, "samples": {}, "seconds": {}}
    write_json(folder / RUN_FILE, {"format": FORMAT} | document)
    return read_document(folder)


def test_a_run_is_planned_again_from_what_was_asked(finished: Finished) -> None:
    document = read_document(finished.folder)
    expected = read_experiment(finished.folder.parent / "tiny.toml")
    assert document.experiment(finished.folder) == expected
    assert len(recorded_task(finished.folder, document).validation) == 41


@pytest.mark.parametrize("procedure", ["netstitch", "paper"])
def test_so_is_the_demo_whose_functions_nobody_has_to_trust(tmp_path: Path, procedure: str) -> None:
    asked = override(read_experiment(find_experiment("demo")), seed=3, procedure=procedure)
    document = recorded(tmp_path, json.loads(asked.model_dump_json(exclude_none=True)))
    assert document.experiment(tmp_path) == asked
    assert len(recorded_task(tmp_path, document).validation) == 5_000


def test_a_run_that_was_begun_from_python_goes_on_there(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="begun from Python; go on there"):
        recorded(tmp_path, {}).experiment(tmp_path)


@pytest.mark.parametrize(
    "table, key, value, named",
    [
        ("matching", "objective", "savings", "'objective' in .matching. is 'savings'"),
        ("fit", "method", "sequential", ".fit.: unknown fitting method 'sequential'"),
        ("evaluation", "cache", 1e9, "activations are no longer kept"),
    ],
)
def test_a_value_that_is_gone_is_named(
    finished: Finished, tmp_path: Path, table: str, key: str, value: object, named: str
) -> None:
    asked = dict(read_document(finished.folder).config)
    asked[table] = {**asked[table], key: value}
    with pytest.raises(StorageError, match=f"asks for what this version does not do: .*{named}"):
        recorded(tmp_path, asked).experiment(tmp_path)


def test_settings_that_any_run_has_are_typed(tmp_path: Path) -> None:
    settings = recorded(tmp_path, {"fit": {"method": "adam", "batch_size": 4}}).settings
    assert (settings.batch_size, settings.recalibrate, settings.seed) == (4, 0, None)
    with pytest.raises(StorageError, match="in config, seed is 'one'"):
        recorded(tmp_path, {"seed": "one"})

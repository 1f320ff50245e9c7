"""Exports have the batch-norm statistics that the search measured them with."""

from pathlib import Path
from typing import Any

import pytest
import torch
from run_examples import Quiet, write_experiment

from netstitch.experiments import load_models, load_task, read_experiment
from netstitch.runs import run as running
from netstitch.runs import searching_step
from netstitch.runs.recorded_run import open_run


def carried_out(folder: Path, *changes: tuple[str, str]) -> Path:
    asked = read_experiment(write_experiment(folder, *changes))
    task = load_task(asked)
    return running.carry_out(asked, load_models(asked), task, folder / "run", Quiet()).folder


def test_samples_are_those_of_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    search = searching_step.run_search

    def watched(*given: Any, recalibration: Any, **settings: Any) -> Any:
        seen.append(recalibration)
        return search(*given, recalibration=recalibration, **settings)

    monkeypatch.setattr(searching_step, "run_search", watched)
    few = ("evaluations = 60", "evaluations = 8")
    run = carried_out(
        tmp_path,
        few,
        ("seed = 1", "seed = 5"),
        ("[evaluation]", "[evaluation]\nrecalibrate = 20"),
    )
    found = open_run(run)
    assert found.document.settings.recalibrate == 20
    task = found.task(Quiet())
    measured = torch.cat(list(seen[0]))
    assert len(measured) == 20
    assert torch.equal(torch.cat(list(found.statistics(task))), measured)
    assert task.training is not None
    assert not torch.equal(task.training.inputs[:20], measured)  # not as they are sorted


def test_a_search_without_recalibration_leaves_all_samples_to_it(tmp_path: Path) -> None:
    run = carried_out(tmp_path, ("evaluations = 60", "evaluations = 8"))
    found = open_run(run)
    assert found.document.settings.recalibrate == 0
    task = found.task(Quiet())
    assert task.training is not None
    assert torch.equal(torch.cat(list(found.statistics(task))), task.training.inputs)

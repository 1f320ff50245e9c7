"""What is exported has the batch-norm statistics that the search measured it with."""

from pathlib import Path
from typing import Any

import pytest
import torch
from run_examples import Quiet, write_experiment

from netstitch.cli.recalibrating import recorded, searched_with
from netstitch.experiments import load_models, load_task, read_experiment
from netstitch.runs import run as running
from netstitch.runs.planning import to_plan


def carried_out(folder: Path, *changes: tuple[str, str]) -> Path:
    asked = read_experiment(write_experiment(folder, *changes))
    task = load_task(asked)
    return running.carry_out(
        to_plan(asked), load_models(asked), task, folder / "run", Quiet()
    ).folder


def test_samples_are_those_of_the_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    search = running.run_search

    def watched(*given: Any, recalibration: Any, **settings: Any) -> Any:
        seen.append(recalibration)
        return search(*given, recalibration=recalibration, **settings)

    monkeypatch.setattr(running, "run_search", watched)
    few = ("evaluations = 60", "evaluations = 8")
    run = carried_out(
        tmp_path,
        few,
        ("seed = 1", "seed = 5"),
        ("[evaluation]", "[evaluation]\nrecalibrate = 20"),
    )
    assert searched_with(run) == 20
    found = recorded(run, Quiet())
    measured = torch.cat(list(seen[0]))
    assert len(measured) == 20
    assert torch.equal(torch.cat(list(found.batches)), measured)
    assert found.task.training is not None
    assert not torch.equal(found.task.training.inputs[:20], measured)  # not as they are sorted


def test_a_search_without_recalibration_leaves_all_samples_to_it(tmp_path: Path) -> None:
    run = carried_out(tmp_path, ("evaluations = 60", "evaluations = 8"))
    assert searched_with(run) == 0
    found = recorded(run, Quiet())
    assert found.task.training is not None
    assert torch.equal(torch.cat(list(found.batches)), found.task.training.inputs)

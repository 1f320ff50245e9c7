"""The demo's choice, and the whole of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from run_examples import Quiet
from torch import nn

import netstitch as ns
from netstitch.analysis import Front, FrontPoint
from netstitch.demo import demo_run as job
from netstitch.demo.demo_run import choose, export_chosen, run_demo
from netstitch.errors import SearchError
from netstitch.runs.run_plan import RunPlan


def point(cost: int, accuracy: float) -> FrontPoint:
    return FrontPoint(
        label=f"P{cost}", genotype=(0,), multiply_adds=cost, stitches=0, validation=accuracy
    )


ENSEMBLE = replace(point(100, 0.93), label="ensemble", output="ensemble")


def test_the_most_accurate_that_is_affordable_is_chosen() -> None:
    points = (point(10, 0.80), point(75, 0.91), point(76, 0.92))
    assert choose(Front(points, (ENSEMBLE,))).multiply_adds == 75


def test_where_none_is_affordable_the_cheapest_is_chosen() -> None:
    points = (point(80, 0.91), point(90, 0.92))
    assert choose(Front(points, (ENSEMBLE,))).multiply_adds == 80


@pytest.mark.parametrize("settings", [{"seed": -1}, {"seconds": 0.0}, {"seconds": -3.0}])
def test_settings_that_cannot_be_used_are_refused_before_any_work(
    tmp_path: Path, settings: dict[str, float]
) -> None:
    reporter = Quiet()
    with pytest.raises(SearchError):
        run_demo(tmp_path / "demo", reporter, **settings)  # type: ignore[arg-type]
    assert "capture" not in reporter.stages
    assert not (tmp_path / "demo").exists()


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[RunPlan]:
    """The plans of demos, which are not carried out."""
    plans: list[RunPlan] = []
    monkeypatch.setattr(job, "carry_out", lambda plan, *_: plans.append(plan))
    return plans


def test_the_seed_is_that_of_everything(planned: list[RunPlan], tmp_path: Path) -> None:
    run_demo(tmp_path, Quiet(), seed=7)
    run_demo(tmp_path, Quiet(), seed=7, paper=True)
    own, paper = planned
    assert own.refine is not None
    assert (own.seed, own.refine["seed"]) == (7, 7)
    assert (paper.seed, paper.fit["method"], paper.fit["seed"]) == (7, "adam", 7)
    assert (paper.points, paper.matching_objective, paper.refine) == ("all", "count", None)


@pytest.mark.parametrize("paper", [False, True])
def test_what_is_kept_of_a_demo_is_all_that_it_does(
    planned: list[RunPlan], tmp_path: Path, paper: bool
) -> None:
    run_demo(tmp_path, Quiet(), paper=paper)
    (plan,) = planned
    asked: dict[str, Any] = json.loads(json.dumps(plan.asked))
    for name in ("points", "matching_objective", "fit", "fit_batch", "refine", "seed"):
        assert asked[name] == getattr(plan, name)
    assert "holdout" in asked["fit"]  # defaults are filled in


def test_refining_is_limited_in_time(planned: list[RunPlan], tmp_path: Path) -> None:
    run_demo(tmp_path, Quiet())
    assert planned[0].refine is not None
    assert planned[0].refine["seconds"] <= 40


@pytest.mark.slow
def test_the_whole_demo_in_a_short_search(tmp_path: Path) -> None:
    reporter = Quiet()
    finished = run_demo(tmp_path / "demo", reporter, seconds=8.0)
    exported = export_chosen(finished, tmp_path / "demo" / "export", reporter)
    assert finished.result.evaluated > len(finished.front.references)
    assert [r.label for r in finished.front.references] == ["resnet", "mobilenet", "ensemble"]
    assert all(p.test is not None for p in finished.front)
    assert {file.format for file in exported.files} == {"json", "pt2", "onnx"}
    module = ns.load(exported.folder)
    assert isinstance(module, nn.Module)
    chosen = choose(finished.front)
    inputs = torch.rand(5, 1, 28, 28)
    expected = finished.supernet.subnetwork(chosen.genotype)(inputs)
    # Kernels are chosen by where tensors lie in memory, so that the last bits may differ.
    assert torch.allclose(module(inputs), expected, rtol=1e-4, atol=1e-4)

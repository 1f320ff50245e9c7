"""The demo's choice, and the whole of it."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from run_examples import Quiet
from torch import nn

import netstitch as ns
from netstitch.analysis import Front, FrontPoint
from netstitch.demo.job import choose, export_chosen, run_demo
from netstitch.errors import SearchError


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
    assert torch.equal(module(inputs), finished.supernet.subnetwork(chosen.genotype)(inputs))

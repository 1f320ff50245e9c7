"""The demo's choice, and the whole of it."""

import time
from pathlib import Path

import pytest
import torch
from run_examples import Quiet
from torch import nn

import netstitch as ns
from netstitch.analysis import Front, FrontPoint, Interval
from netstitch.demo.job import choose, export_chosen, run_demo
from netstitch.errors import SearchError


def point(cost: int, accuracy: float, high: float) -> FrontPoint:
    return FrontPoint(
        label=f"P{cost}",
        genotype=(0,),
        multiply_adds=cost,
        stitches=0,
        validation=accuracy,
        validation_difference=Interval(high - 0.01, high - 0.02, high),
    )


def test_chosen_is_the_cheapest_that_cannot_be_told_from_the_ensemble() -> None:
    points = (point(1, 0.80, -0.05), point(2, 0.91, 0.0), point(3, 0.92, 0.01))
    assert choose(Front(points)).multiply_adds == 2


def test_where_there_is_none_the_most_accurate_is_chosen() -> None:
    assert choose(Front((point(1, 0.80, -0.05), point(2, 0.81, -0.04)))).multiply_adds == 2


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
    started = time.monotonic()
    reporter = Quiet()
    finished = run_demo(tmp_path / "demo", reporter, seconds=8.0)
    exported = export_chosen(finished, tmp_path / "demo" / "export", reporter)
    assert finished.result.evaluated >= 64
    assert [r.label for r in finished.front.references] == ["resnet", "mobilenet", "ensemble"]
    assert all(p.test is not None for p in finished.front)
    assert {file.format for file in exported.files} == {"json", "pt2", "onnx"}
    module = ns.load(exported.folder)
    assert isinstance(module, nn.Module)
    chosen = choose(finished.front)
    inputs = torch.rand(5, 1, 28, 28)
    assert torch.equal(module(inputs), finished.supernet.subnetwork(chosen.genotype)(inputs))
    assert time.monotonic() - started < 300

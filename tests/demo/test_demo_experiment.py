"""The demo's choice, and the whole of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from run_examples import Quiet
from torch import nn

import netstitch as ns
from netstitch.analysis import Front, FrontPoint
from netstitch.demo import choose
from netstitch.demo.embedded import held_out
from netstitch.demo.embedded import load_models as load_embedded_models
from netstitch.demo.embedded import load_task as load_embedded
from netstitch.demo.exported import exported_accuracy
from netstitch.errors import ExperimentError
from netstitch.experiments import (
    Experiment,
    find_experiment,
    load_experiment,
    load_models,
    load_task,
    override,
    read_experiment,
)
from netstitch.records.unchanged import sample_digests
from netstitch.runs.recorded_run import export_point
from netstitch.runs.run import carry_out


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


def demo(**options: Any) -> Experiment:
    return override(read_experiment(find_experiment("demo")), **options)


@pytest.mark.parametrize("options", [{"seed": -1}, {"search": {"seconds": 0.0}}])
def test_settings_that_cannot_be_used_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ExperimentError):
        demo(**options)


def test_the_seed_is_that_of_everything() -> None:
    own, paper = demo(seed=7), demo(seed=7, procedure="paper")
    assert own.refine_settings is not None
    assert (own.seed, own.refine_settings["seed"]) == (7, 7)
    assert (paper.seed, paper.fit.method, paper.fit_settings["seed"]) == (7, "adam", 7)
    assert (paper.matching.points, paper.matching.objective) == ("all", "count")
    assert paper.refine_settings is None


def test_refining_is_limited_in_time() -> None:
    seconds = demo().refine.seconds
    assert seconds is not None
    assert seconds <= 40


def test_its_samples_and_networks_are_the_embedded_ones() -> None:
    task = load_task(demo())
    assert sample_digests(task) == sample_digests(load_embedded())
    images, labels = held_out()
    assert np.array_equal(task.validation.inputs.numpy(), images)
    assert np.array_equal(task.validation.labels.numpy(), labels)
    expected = load_embedded_models()
    for name, model in load_models(demo()):
        for key, tensor in expected[name].state_dict().items():
            assert torch.equal(model.state_dict()[key], tensor)


@pytest.mark.slow
def test_the_whole_demo_in_a_short_search(tmp_path: Path) -> None:
    listener, experiment = Quiet(), demo(search={"seconds": 8.0})
    models, task = load_experiment(experiment, listener)
    finished = carry_out(experiment, models, task, tmp_path / "demo", listener)
    assert [stage.split()[0] for stage in listener.stages] == [
        *("capture", "match", "fit", "refine", "exits", "search", "measure", "find", "measure"),
    ]
    assert listener.warnings == []
    assert finished.outcome.evaluations > len(finished.front.references)
    assert [r.label for r in finished.front.references] == ["inverted", "residual", "ensemble"]
    assert all(p.test is not None for p in finished.front)
    chosen = choose(finished.front)
    exported = export_point(finished.supernet, chosen, tmp_path / "demo" / "export", listener)
    assert {file.format for file in exported.files} == {"json", "pt2", "onnx"}
    module = ns.load(exported.folder)
    assert isinstance(module, nn.Module)
    inputs = torch.rand(5, 1, 28, 28)
    expected = finished.supernet.subnetwork(chosen.subnetwork)(inputs)
    # Kernels are chosen by where tensors lie in memory, so that the last bits may differ.
    assert torch.allclose(module(inputs), expected, rtol=1e-4, atol=1e-4)
    cascade = finished.front.as_good
    assert cascade is not None
    assert cascade.cost < finished.front.ensemble_cost
    files = export_point(finished.supernet, cascade, tmp_path / "demo" / "cascade", listener)
    assert {file.format for file in files.files} == {"json", "pt2", "onnx"}
    assert exported_accuracy(files.folder, task) == pytest.approx(cascade.test, abs=2e-3)

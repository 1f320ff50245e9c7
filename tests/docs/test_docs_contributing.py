"""The rows of the table in docs/contributing.md: a toy one of each is added as its row says."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from small_supernets import random_samples, random_task, small_supernet
from torch import Tensor
from toy_algorithm import ToySearch
from toy_fitting import ToySettings, fit_toy
from toy_models import Mixer, build_toy

import netstitch as ns
from netstitch.costs import COSTS, Cost
from netstitch.errors import CaptureError, DataError, FittingError, SearchError
from netstitch.evaluation import NumericsConfig
from netstitch.fitting import METHODS, FitMethod
from netstitch.networks import feature_layout
from netstitch.networks.feature_layout import FeatureLayout
from netstitch.networks.sources.model_sources import SOURCES, ModelSource, load_model
from netstitch.optimization import ALGORITHMS
from netstitch.optimization.algorithms.registry import Entry
from netstitch.supernet import Supernet

ROOT = Path(__file__).parents[2]
TOYS = Path(__file__).parent
PAGE = (ROOT / "docs" / "contributing.md").read_text()
pytestmark = pytest.mark.filterwarnings("ignore:every network is at chance")
FORM = NumericsConfig(channels_last=False, batch=16, workers=1)


def test_rooms_stand_on_the_page_in_the_order_of_the_contract() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    (contract,) = project["tool"]["importlinter"]["contracts"]
    rows = PAGE.partition("| room |")[2].partition("\n\n")[0]
    named = [
        name.removesuffix(".py").removesuffix("/") for name in re.findall("`([a-z_./]+)`", rows)
    ]
    rooms = [name for name in named if name in contract["layers"]]
    assert rooms == contract["layers"][::-1]


def test_files_that_the_page_names_exist() -> None:
    files = re.findall(r"`([a-z_/]+\.(?:py|toml|md))`", PAGE)
    assert len(files) > 20
    for file in files:
        found = [path for path in (ROOT / file, ROOT / "netstitch" / file) if path.exists()]
        assert found, file


def test_a_fitting_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "toy", FitMethod(fit_toy, ToySettings))
    supernet, images = small_supernet(), random_samples(20).inputs
    report = supernet.fit([images], method="toy", factor=2.0)
    assert (report.method, report.settings["factor"]) == ("toy", 2.0)
    stitch, bias = supernet.stitches[0], supernet.layers[0].bias
    (target,) = supernet.features(images, [stitch.target])
    fitted = torch.tensor([i for i in range(20) if i % 8 != 7])
    mean = stitch.layout.rows(target, fitted).mean(0)
    torch.testing.assert_close(bias, 2 * mean)
    with pytest.raises(FittingError, match="toy has no setting 'factors'; did you mean 'factor'"):
        supernet.fit([images], method="toy", factors=2.0)


class Brightness(ns.Task):
    """A task: is a network's first logit positive where the label is 1?"""

    measure = "share of signs"

    def __init__(self) -> None:
        samples = random_samples(30)
        self.validation = ns.Samples(samples.inputs, (samples.labels > 0).long())

    def combine(self, outputs: Sequence[Tensor], weights: Sequence[float] | None = None) -> Tensor:
        return torch.stack(list(outputs)).mean(0)

    def correct(self, outputs: Tensor, labels: Tensor) -> Tensor:
        return (outputs[:, 0] > 0) == (labels == 1)

    def accuracy(self, outputs: Tensor, labels: Tensor) -> float:
        return float(self.correct(outputs, labels).double().mean())

    def loss(self, outputs: Tensor, labels: Tensor) -> float:
        return 1 - self.accuracy(outputs, labels)


def test_a_task() -> None:
    supernet, task = small_supernet(), Brightness()
    front = ns.search(supernet, task, budget=30, population=6, form=FORM)
    assert front.measure == "share of signs"
    for point in front:
        outputs = supernet.subnetwork(point.genotype)(task.validation.inputs)
        right = (outputs[:, 0] > 0) == (task.validation.labels == 1)
        assert point.validation == int(right.sum()) / 30
    with pytest.raises(DataError, match="no method cross_entropy"):  # an ability that it has not
        ns.search(supernet, task, objective="cross-entropy", form=FORM)


def depth(supernet: Supernet, genotype: Sequence[int]) -> float:
    return len(supernet.pruned_graph(genotype).nodes)


def depth_together(supernet: Supernet, genotypes: Sequence[Sequence[int]]) -> float:
    return max(depth(supernet, genotype) for genotype in genotypes)


def test_a_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    toy = Cost("toy", "nodes", depth, depth_together)
    supernet, task = small_supernet(), random_task()
    options = {"budget": 30, "population": 6, "form": FORM}
    given = ns.search(supernet, task, cost=toy, **options)
    monkeypatch.setitem(COSTS, "toy", toy)
    front = ns.search(supernet, task, cost="toy", **options)
    assert (front.cost_name, front.unit) == ("toy", "nodes")
    assert [(p.genotype, p.cost) for p in front] == [(p.genotype, p.cost) for p in given]
    assert all(point.cost == depth(supernet, point.genotype) for point in front)


def test_a_feature_layout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """tests/networks/test_networks_feature_layout.py looks at what is matched and fitted."""
    tokens = FeatureLayout("token", ("batch", "t", "c"), "aten.linear.default")
    monkeypatch.setattr(feature_layout, "LAYOUTS", (*feature_layout.LAYOUTS, tokens))
    torch.manual_seed(0)
    x = torch.randn(40, 5, 6)
    networks = [ns.capture(Mixer(width), x[:2], name=f"w{width}") for width in (8, 4)]
    supernet = ns.Supernet(networks, ns.match(*networks))
    assert tokens in {stitch.layout for stitch in supernet.stitches}
    supernet.fit([x])
    supernet.refine([x], steps=3)
    stitched = supernet.genotype("w4", [1])
    assert [supernet.stitches[i].layout for i in supernet.active_stitches(stitched)] == [tokens]
    module = supernet.subnetwork(stitched)
    right = ns.Samples(x, module(x).argmax(1))
    task = ns.Classification(validation=right, classes=3)
    front = ns.search(supernet, task, budget=60, population=6, form=FORM)
    assert front.points[-1].validation == 1
    assert front.points[-1].cost <= supernet.macs(stitched)
    ns.export(supernet, stitched, tmp_path / "exported")
    supernet.save(tmp_path / "supernet")
    again = ns.load(tmp_path / "supernet").subnetwork(stitched)
    assert torch.equal(again(x), module(x))


def test_a_search_algorithm(monkeypatch: pytest.MonkeyPatch) -> None:
    supernet, task = small_supernet(), random_task()
    options = {"budget": 60, "population": 6, "form": FORM, "settings": {"objective": 1}}
    given = ns.search(supernet, task, algorithm=ToySearch, **options)
    monkeypatch.setitem(ALGORITHMS, "toy", Entry(ToySearch, follows_threshold=False))
    front = ns.search(supernet, task, algorithm="toy", **options)
    assert [(p.genotype, p.cost) for p in front] == [(p.genotype, p.cost) for p in given]
    with pytest.raises(SearchError, match="algorithm 'toy': objective is 'cost'; expected a"):
        ns.search(supernet, task, algorithm="toy", **options | {"settings": {"objective": "cost"}})


def test_a_network_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOURCES, "toy", ModelSource(build_toy))
    model = load_model("toy:wide", "pretrained")
    network = ns.capture(model, torch.randn(2, 5, 6))
    assert network.graph.multiply_adds == 5 * (6 * 8 + 8 * 8) + 8 * 3
    same, other = load_model("toy:wide", "pretrained"), load_model("toy:wide")
    assert torch.equal(same.head.weight, model.head.weight)
    assert not torch.equal(other.head.weight, model.head.weight)
    with pytest.raises(CaptureError, match="toy has no model 'wider'"):
        load_model("toy:wider")


NEW = {
    "toy_fitting.py": "fitting",
    "toy_task.py": "tasks",
    "toy_algorithm.py": "optimization/algorithms",
    "toy_models.py": "networks/sources",
}
"""Files that rows add to the package, and where."""

CHANGED = [
    (
        "fitting/methods.py",
        "METHODS: Mapping[str, FitMethod] = {\n",
        "from netstitch.fitting.toy_fitting import ToySettings, fit_toy\n{}"
        '    "toy": FitMethod(fit_toy, ToySettings),\n',
    ),
    (
        "experiments/run_settings.py",
        "def _method(table: Any)",
        "from netstitch.fitting.toy_fitting import ToySettings\n"
        "class ToyTable(ToySettings, _OfRun):\n"
        '    """Stitches that give means."""\n'
        '    method: Literal["toy"] = Field(default="toy", description=_METHODS)\n'
        "    batch: Positive = Field(default=64, description=_BATCH)\n{}",
    ),
    (
        "experiments/run_settings.py",
        "Annotated[AdamTable, Tag(ADAM)]",
        '{} | Annotated[ToyTable, Tag("toy")]',
    ),
    ("experiments/task_table.py", 'Literal["classification", ', '{}"toy", '),
    (
        "experiments/loading.py",
        "LABELLED: Mapping[str, Callable[..., Task]] = {\n",
        'from netstitch.tasks.toy_task import ToyTask\n{}    "toy": ToyTask,\n',
    ),
    (
        "costs/cost.py",
        "for cost in (MULTIPLY_ADDS, PARAMETERS",
        '{}, Cost("toy", "operations", Supernet.macs, multiply_adds_together)',
    ),
    (
        "networks/feature_layout.py",
        "LAYOUTS = (VECTOR, MAP",
        '{}, FeatureLayout("token", ("batch", "t", "c"), "aten.linear.default")',
    ),
    (
        "optimization/algorithms/registry.py",
        "ALGORITHMS: Mapping[str, Entry] = {\n",
        "from netstitch.optimization.algorithms.toy_algorithm import ToySearch\n{}"
        '    "toy": Entry(ToySearch, follows_threshold=False),\n',
    ),
    (
        "networks/sources/model_sources.py",
        "SOURCES: Mapping[str, ModelSource] = {\n",
        "from netstitch.networks.sources.toy_models import build_toy\n{}"
        '    "toy": ModelSource(build_toy),\n',
    ),
]
"""Lines that rows change in files of the package, and what becomes of them."""

EXPERIMENT = """
[[networks]]
model = "toy:narrow"
weights = "pretrained"
[[networks]]
model = "toy:wide"
weights = "pretrained"
[task]
kind = "toy"
classes = 3
[task.training]
source = "samples.npz"
[task.validation]
source = "samples.npz"
[fit]
method = "toy"
factor = 1.5
[refine]
steps = 3
[search]
algorithm = "toy"
settings = { objective = 1 }
cost = "toy"
evaluations = 40
population = 6
[evaluation]
workers = 1
"""


@pytest.mark.slow
def test_the_rows_for_experiment_files(tmp_path: Path) -> None:
    """All toys in a copy of the package, in one run with workers in processes of their own."""
    package = tmp_path / "copy" / "netstitch"
    ignored = shutil.ignore_patterns("__pycache__", "data")
    shutil.copytree(ROOT / "netstitch", package, ignore=ignored)
    for file, folder in NEW.items():
        shutil.copy(TOYS / file, package / folder)
    for file, line, changed in CHANGED:
        assert f"`{file}`" in PAGE
        text = (package / file).read_text()
        assert text.count(line) == 1, (file, line)
        (package / file).write_text(text.replace(line, changed.replace("{}", line)))
    inputs = np.random.default_rng(0).normal(size=(60, 5, 6)).astype(np.float32)
    labels = inputs.mean(1)[:, :3].argmax(1)
    np.savez(tmp_path / "samples.npz", inputs=inputs, labels=labels)
    (tmp_path / "toys.toml").write_text(EXPERIMENT)

    def netstitch(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(package.parent)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    netstitch("netstitch.experiments.key_page", "keys.md", "key_texts.json")
    keys = (tmp_path / "keys.md").read_text()
    assert '## `[fit]`, `method = "toy"`' in keys
    assert "what means are multiplied by" in keys
    assert "'toy:NAME' or" in keys
    netstitch("netstitch", "run", "toys.toml", "--dry-run")
    netstitch("netstitch", "run", "toys.toml")
    run = tmp_path / "toys-run"
    assert json.loads((run / "supernet" / "fit.json").read_text())["method"] == "toy"
    front = json.loads((run / "front.json").read_text())
    assert (front["cost_name"], front["unit"]) == ("toy", "operations")
    assert all(point["cost"] == point["multiply_adds"] for point in front["points"])
    netstitch("netstitch", "report", "toys-run", "--output", "again.html")
    assert (tmp_path / "again.html").read_text() == (run / "report.html").read_text()

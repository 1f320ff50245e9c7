"""Official layouts through the whole main job, and data sets that are not there."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cli_examples import Caller
from official_trees import SYNSETS, cls_loc, original, pascal, variants

from netstitch.experiments import find_experiment, read_experiment, shipped

MODELS = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width, classes, dense):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU())
        self.body = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1), nn.ReLU())
        self.head = nn.Conv2d(width, classes, 1) if dense else nn.Linear(width, classes)
        self.dense = dense

    def forward(self, x):
        found = self.body(self.stem(x))
        if not self.dense:
            return self.head(found.mean((2, 3)))
        maps = nn.functional.interpolate(self.head(found), scale_factor=2.0)
        return {"out": maps, "aux": maps.mean(1, keepdim=True)}

def build(width, classes, dense=False):
    torch.manual_seed(width)
    return Net(width, classes, dense)

def small(): return build(4, 1000)
def large(): return build(6, 1000)
def few(): return build(4, 3)
def many(): return build(6, 3)
def small_maps(): return build(4, 21, True)
def large_maps(): return build(6, 21, True)
"""


def experiment(folder: Path, models: tuple[str, str], task: str) -> Path:
    (folder / "models.py").write_text(MODELS)
    path = folder / "tiny.toml"
    networks = "".join(f'[[networks]]\nmodel = "models.py:{name}"\n' for name in models)
    path.write_text(
        f"{networks}\n{task}\n[refine]\nenabled = false\n[search]\nevaluations = 12\n"
        'population = 4\n[evaluation]\nexecutor = "serial"\nbatch = 2\n'
    )
    return path


IMAGES = '[task.images]\nsize = 16\ncrop = 1.0\ninterpolation = "bilinear"\n'


@pytest.mark.parametrize("layout", [original, cls_loc], ids=["original", "CLS-LOC"])
def test_imagenet_through_the_whole_main_job(
    tmp_path: Path, layout: Any, netstitch: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETSTITCH_CACHE", str(tmp_path / "cache"))
    layout(tmp_path / "data" / "one", each=12, boxed=6)
    task = (
        f"[task]\nclasses = 3\n{IMAGES}"
        '[task.training]\nsource = "imagenet:one"\nsplit = "train"\nboxes = true\n'
        'limit = 17\nselection = "random"\n'
        '[task.validation]\nsource = "imagenet:one"\nsplit = "train"\n'
        '[task.test]\nsource = "imagenet:one"\nsplit = "val"\n'
    )
    file = experiment(tmp_path, ("few", "many"), task)
    run = tmp_path / "run"
    called = netstitch("run", file, "--data", tmp_path / "data", "-o", run)
    assert called.code == 0, called.err
    front = json.loads((run / "front.json").read_text())
    assert {one["label"] for one in front["references"]} == {"few", "many", "ensemble"}
    assert all(0 <= one["test"] <= 1 for one in front["references"])


def test_imagenet_v2_has_the_classes_of_imagenet(
    tmp_path: Path, netstitch: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETSTITCH_CACHE", str(tmp_path / "cache"))
    variants(tmp_path / "v2", classes=7)
    shutil.rmtree(tmp_path / "v2" / "imagenetv2-threshold0.7-format-val")
    task = (
        f"[task]\nclasses = 1000\n{IMAGES}"
        '[task.training]\nsource = "imagenetv2:v2"\n'
        '[task.validation]\nsource = "imagenetv2:v2"\nlimit = 3\n'
    )
    file = experiment(tmp_path, ("small", "large"), task)
    called = netstitch("run", file, "-o", tmp_path / "run")
    assert called.code == 0, called.err
    assert (tmp_path / "run" / "front.json").exists()
    assert "2 of the 3 variants of ImageNetV2, without threshold0.7" in called.out


def test_segmentation_through_the_whole_main_job(
    tmp_path: Path, netstitch: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETSTITCH_CACHE", str(tmp_path / "cache"))
    pascal(tmp_path, more=12)
    task = (
        f'[task]\nkind = "segmentation"\nclasses = 21\noutput = "out"\n{IMAGES}'
        '[task.training]\nsource = "voc:VOCdevkit"\nyear = 2012\nsplit = "train"\n'
        '[task.validation]\nsource = "voc:VOCdevkit"\nyear = 2012\nsplit = "val"\n'
        '[task.test]\nsource = "voc:VOCdevkit"\nyear = 2007\nsplit = "test"\n'
    )
    file = experiment(tmp_path, ("small_maps", "large_maps"), task)
    run = tmp_path / "run"
    called = netstitch("run", file, "-o", run)
    assert called.code == 0, called.err
    assert "IoU" in called.out  # the heading is broken into lines
    front = json.loads((run / "front.json").read_text())
    assert front["measure"] == "pixel accuracy"
    for one in (*front["references"], *front["points"]):
        assert set(one["further"]) == {"validation mean IoU", "test mean IoU"}
    assert "validation mean IoU" in (run / "front.csv").read_text().splitlines()[0]
    exported = netstitch("export", run, "--point", "1", "--formats", "json")
    assert exported.code == 0, exported.err


def test_what_is_wrong_with_a_data_set_is_one_line(tmp_path: Path, netstitch: Caller) -> None:
    original(tmp_path / "one")
    pascal(tmp_path / "two")

    def error(
        source: str, keys: str = "", kind: str = "", models: tuple[str, str] = ("few", "many")
    ) -> str:
        part = f'source = "{source}"\n{keys}'
        task = f"[task]\n{kind}classes = 3\n[task.training]\n{part}[task.validation]\n{part}"
        file = experiment(tmp_path, ("few", "many"), task)
        called = netstitch("run", file, "-o", tmp_path / "run")
        assert called.code == 2
        assert not (tmp_path / "run").exists()
        return called.error

    assert "no split is named; expected split = one of 'train', 'val'" in error("imagenet:one")
    assert "it has no split 'tst'" in error("imagenet:one", 'split = "tst"\n')
    assert "takes no 'year'" in error("imagenet:one", 'split = "val"\nyear = 2012\n')
    assert "looks like PASCAL VOC" in error("imagenet:two", 'split = "val"\n')
    assert "looks like ImageNet in its original layout" in error("imagenetv2:one")
    maps = error("voc:two", 'split = "val"\nyear = 2012\n')
    assert "has a class for each pixel, and the task is classification" in maps
    assert "it lacks the key 'year'" in error(
        "voc:two", 'split = "val"\n', kind='kind = "segmentation"\n'
    )
    lost = error("imagenet:nowhere", 'split = "val"\n')
    assert "ImageNet (ILSVRC 2012), from https://image-net.org/download, in" in lost
    assert "split, year and boxes are of data sets" in error("folder", 'split = "val"\n')


def test_classes_that_differ_from_the_task(tmp_path: Path, netstitch: Caller) -> None:
    original(tmp_path / "one")
    part = 'source = "imagenet:one"\nsplit = "val"\n'
    task = f"[task]\nclasses = 1000\n[task.training]\n{part}[task.validation]\n{part}"
    called = netstitch(
        "run", experiment(tmp_path, ("small", "large"), task), "-o", tmp_path / "run"
    )
    assert called.code == 2
    assert f"it has {len(SYNSETS)} classes and the task 1000" in called.error


def test_data_and_weights_that_are_missing_are_known_before_the_work(
    tmp_path: Path, netstitch: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No network is built, and no image decoded, for what cannot be carried out."""
    monkeypatch.setenv("NETSTITCH_CACHE", str(tmp_path / "cache"))
    original(tmp_path / "one")
    part = 'source = "imagenet:one"\nsplit = "train"\n'
    task = f"[task]\nclasses = 3\n{IMAGES}[task.training]\n{part}[task.validation]\n{part}"
    test = '[task.test]\nsource = "imagenetv2:one"\n'

    def error(task: str, command: str, *options: object) -> str:
        file = experiment(tmp_path, ("few", "many"), task)
        models = tmp_path / "models.py"
        models.write_text("raise RuntimeError('the models were built')\n")
        called = netstitch(command, file, *options)
        assert called.code == 2
        assert not (tmp_path / "cache").exists()
        return called.error

    for command, further in (("run", ()), ("protocol", ("--no-sweep",))):
        options = ("-o", tmp_path / "run", *further)
        assert "test samples (imagenetv2:one)" in error(task + test, command, *options)
        (tmp_path / "weights").mkdir(exist_ok=True)
        weights = ("--weights", tmp_path / "weights")
        assert "holds no weights of network 'few'" in error(task, command, *options, *weights)
    named = experiment(tmp_path, ("few", "many"), task)
    named.write_text(named.read_text().replace(':few"', ':few"\nweights = "lost.pt"'))
    called = netstitch("run", named, "-o", tmp_path / "run")
    assert f"network 'few': {tmp_path / 'lost.pt'} is not there" in called.error


def test_matching_decodes_what_it_looks_at(
    tmp_path: Path, netstitch: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETSTITCH_CACHE", str(tmp_path / "cache"))
    original(tmp_path / "one", each=3)
    part = 'source = "imagenet:one"\nsplit = "{}"\n{}'
    task = (
        f"[task]\nclasses = 3\n{IMAGES}[task.training]\n{part.format('train', '')}"
        f"[task.validation]\n{part.format('val', '')}"
        f"[task.test]\n{part.format('train', 'limit = 3')}\n"
    )
    file = experiment(tmp_path, ("few", "many"), task)
    assert netstitch("match", file).code == 0
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_what_looks_wrong_is_told_on_the_console(
    tmp_path: Path, netstitch: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETSTITCH_CACHE", str(tmp_path / "cache"))
    original(tmp_path / "one", each=4)
    (tmp_path / "one" / "train" / SYNSETS[0] / "1.heic").write_bytes(b"no image")
    part = 'source = "one/train"\n'
    task = f"[task]\nclasses = 3\n{IMAGES}[task.training]\n{part}[task.validation]\n{part}"
    file = experiment(tmp_path, ("few", "many"), task)
    file.write_text(f"{file.read_text()}[fit]\nholdout = 0.25\n")  # of 12 samples
    called = netstitch("run", file, "-o", tmp_path / "run")
    assert called.code == 0, called.err
    read, capture, _ = called.out.partition("\ncapture")
    assert capture
    told = [line.strip() for line in read.splitlines() if "warning: " in line]
    assert told[0].startswith("warning: one/train: 1 file is not read and left out: 1 .heic;")
    assert "12 of 12 validation samples are also training samples" in told[1]
    assert len(told) == 2


@pytest.mark.parametrize("name", ["imagenet-a", "imagenet-b", "voc"])
def test_shipped_experiments_say_what_they_need(
    name: str, tmp_path: Path, netstitch: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    called = netstitch("run", name, "--data", tmp_path / "data")
    assert called.code == 2
    assert f"{name} needs data that is not there: " in called.error
    assert f"in {tmp_path / 'data'}" in called.error
    assert "--data" in called.error
    assert list(tmp_path.iterdir()) == []


def test_shipped_experiments_hold_the_papers_settings() -> None:
    asked = {name: read_experiment(path) for name, path in shipped().items()}
    assert list(asked) == ["demo", "imagenet-a", "imagenet-b", "voc"]
    del asked["demo"]  # which is none of the paper's
    for one in asked.values():
        assert one.procedure == "paper"
        assert one.matching.points == "all"
        assert not one.refine.enabled
        assert (one.search.evaluations, one.search.seconds) == (200_000, 24 * 3600)
        assert (one.search.threshold, one.search.initial_stitches) == (0.5, 6.18)
        assert one.protocol.seeds == 5
    found = {name: dict(one.protocol.populations) for name, one in asked.items()}
    assert found == {
        "imagenet-a": {"ga": 256, "gomea": 512, "lk-gomea": 512},
        "imagenet-b": {"ga": 128, "lk-gomea": 512},
        "voc": {"ga": 256, "gomea": 2048, "lk-gomea": 2048},
    }
    rates = {name: one.fit_settings["learning_rate"] for name, one in asked.items()}
    assert rates == {"imagenet-a": 1e-3, "imagenet-b": 1e-3, "voc": 1e-2}
    assert asked["voc"].task.validation.limit == 64
    assert asked["voc"].evaluation.batch == asked["voc"].fit_settings["batch_size"] == 4
    assert asked["imagenet-a"].task.validation.limit == 1000
    named = {name: [network.model for network in one.networks] for name, one in asked.items()}
    assert named == {
        "imagenet-a": ["timm:resnet152.a1h_in1k", "timm:efficientnet_b4.ra2_in1k"],
        "imagenet-b": ["timm:resnet50.a1_in1k", "timm:resnext50_32x4d.a1h_in1k"],
        "voc": [
            "torchvision:deeplabv3_mobilenet_v3_large.COCO_WITH_VOC_LABELS_V1",
            "torchvision:deeplabv3_resnet50.COCO_WITH_VOC_LABELS_V1",
        ],
    }
    names = [network.name for one in asked.values() for network in one.networks]
    assert not any("." in name for name in names)  # files of weights are named so
    voc = asked["voc"].fit_settings
    assert (voc["samples"], voc["holdout"]) == (10 * 1464, 0)
    assert voc["memory_budget"] > 1464 * 3 * 520 * 520 * 4  # so that each pass is shuffled
    in_flight = {name: one.evaluation.in_flight for name, one in asked.items()}
    assert in_flight == {"imagenet-a": 90, "imagenet-b": 72, "voc": 40}
    assert {one.evaluation.order for one in asked.values()} == {"finished"}
    assert {one.search.references for one in asked.values()} == {"apart"}


def test_a_name_that_is_not_shipped_gives_the_nearest(netstitch: Caller) -> None:
    called = netstitch("run", "imagenet-c")
    assert called.code == 2
    assert "'imagenet-c' is neither a file nor a shipped experiment; did you mean" in called.error
    assert find_experiment("some/file.toml") == Path("some/file.toml")

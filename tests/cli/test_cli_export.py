"""`netstitch export`: from a run folder to files that compute the same."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from cli_examples import Caller
from torch import nn

import netstitch as ns
from netstitch.runs.run import Finished


def same(finished: Finished, label: str, folder: Path) -> bool:
    module = ns.load(folder)
    assert isinstance(module, nn.Module)
    inputs = torch.randn(7, 6)
    expected = finished.supernet.subnetwork(finished.front.pick(point=label).subnetwork)(inputs)
    return torch.equal(module(inputs), expected)


def test_all_formats_by_multiply_adds(
    netstitch: Caller, finished: Finished, tmp_path: Path
) -> None:
    chosen = finished.front.points[0]
    folder = tmp_path / "export"
    limit = f"{chosen.multiply_adds / 1000}k"
    called = netstitch("export", finished.folder, "--max-macs", limit, "-o", folder)
    assert (called.code, called.err) == (0, "")
    for name in ("subnetwork.json", "model.pt2", "model.onnx"):
        assert (folder / name).exists()
        assert f"{name}  largest difference" in called.out
    card = json.loads((folder / "export.json").read_text())["card"]
    assert (card["label"], card["multiply_adds"]) == ("P1", chosen.multiply_adds)
    assert card["validation"] == chosen.validation
    assert same(finished, "P1", folder)


def test_by_cost(netstitch: Caller, finished: Finished, tmp_path: Path) -> None:
    chosen = finished.front.points[1]
    arguments = ("--max-cost", f"{chosen.cost / 1000}k", "--formats", "json", "-o", tmp_path / "e")
    assert netstitch("export", finished.folder, *arguments).code == 0
    assert same(finished, chosen.label, tmp_path / "e")


@pytest.mark.parametrize("given", ["P1", "1"])
def test_by_point(netstitch: Caller, finished: Finished, tmp_path: Path, given: str) -> None:
    arguments = ("--point", given, "--formats", "json", "-o", tmp_path / "e")
    assert netstitch("export", finished.folder, *arguments).code == 0
    assert same(finished, "P1", tmp_path / "e")
    assert not (tmp_path / "e" / "model.onnx").exists()


def test_by_accuracy_into_the_run_folder(
    netstitch: Caller, finished: Finished, tmp_path: Path
) -> None:
    run = shutil.copytree(finished.folder, tmp_path / "run")
    least = finished.front.points[-1].validation
    best = finished.front.pick(min_accuracy=least)
    arguments = ("--min-accuracy", least, "--formats", "json")
    assert netstitch("export", run, *arguments).code == 0
    assert same(finished, best.label, run / f"export-{best.label}")
    again = netstitch("export", run, *arguments)
    assert again.code == 2
    assert "is not empty" in again.error


def test_a_reference_network(netstitch: Caller, finished: Finished, tmp_path: Path) -> None:
    arguments = ("--point", "ensemble", "--formats", "json", "-o", tmp_path / "e")
    assert netstitch("export", finished.folder, *arguments).code == 0
    assert same(finished, "ensemble", tmp_path / "e")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--max-macs", "1"], "the front runs from P1"),
        (["--min-accuracy", "1.1"], "min_accuracy is 1.1: expected a number of 0 to 1"),
        (["--min-accuracy", "0.999"], "the front runs from P1"),
        (["--max-macs", "5X"], "'5X' is no positive amount; expected such as 5M"),
        (["--max-cost", "1"], "the front runs from P1"),
        (["--max-cost", "5X"], "'5X' is no positive amount; expected such as 5M"),
        (["--max-macs", "-5M"], "--max-macs"),
        (["--point", "99"], "no point '99'"),
        ([], "nothing to choose a network by"),
        (["--point", "1", "--max-macs", "5M"], "not both"),
        (["--point", "1", "--formats", "tflite"], "tflite"),
        (["--frob"], "--frob"),
    ],
)
def test_what_cannot_be_chosen(
    netstitch: Caller, finished: Finished, tmp_path: Path, arguments: list[str], message: str
) -> None:
    called = netstitch("export", finished.folder, *arguments, "-o", tmp_path / "e")
    assert called.code == 2
    assert message in called.error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "path, content",
    [
        ("run.json", None),
        ("run.json", "{}"),
        ("front.json", None),
        ("front.json", '{"points": 3}'),
        ("front.json", "\x80\x04."),
        ("supernet/supernet.json", None),
        ("supernet/networks/1/graph.json", "[]"),
        ("supernet/stitches.safetensors", "\x80\x04."),
    ],
)
def test_a_run_folder_that_is_damaged(
    netstitch: Caller, finished: Finished, tmp_path: Path, path: str, content: str | None
) -> None:
    run = shutil.copytree(finished.folder, tmp_path / "run")
    (run / path).unlink()
    if content is not None:
        (run / path).write_text(content)
    called = netstitch("export", run, "--point", "1", "-o", tmp_path / "e")
    assert called.code == 2
    # Of a network it is said which one; of the rest which file.
    assert any(name in called.error for name in (path, str(Path(path).parent), "front.json"))
    assert not (tmp_path / "e").exists()


def test_a_folder_that_is_no_run(netstitch: Caller, tmp_path: Path) -> None:
    called = netstitch("export", tmp_path / "none", "--point", "1")
    assert called.code == 2
    assert "none/run.json is missing" in called.error
    assert list(tmp_path.iterdir()) == []


def test_no_space_left(
    netstitch: Caller, finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    called = netstitch("export", finished.folder, "--point", "1", "-o", tmp_path / "e")
    assert called.code == 2
    assert "no space left on device" in called.error
    assert list(tmp_path.iterdir()) == []


def test_recalibrated_and_folded(netstitch: Caller, finished: Finished, tmp_path: Path) -> None:
    arguments = ("--point", "wide", "--formats", "json", "--recalibrate", "--fold")
    called = netstitch("export", finished.folder, *arguments, "-o", tmp_path / "e")
    assert (called.code, called.err) == (0, "")
    assert "no batch norm stands behind a stitch" in called.out
    card = json.loads((tmp_path / "e" / "export.json").read_text())["card"]
    assert (card["batch_norms_recalibrated"], card["batch_norms_folded"]) == (0, 0)
    chosen = finished.front.pick(point="wide")
    assert card["validation_recalibrated"] == card["validation"] == chosen.validation
    assert card["test_recalibrated"] == chosen.test
    assert same(finished, "wide", tmp_path / "e")


@pytest.mark.parametrize(
    "asked, message",
    [
        ({}, "run.json does not say which experiment"),
        ({"folder": "gone"}, "validation samples (val.npz)"),
    ],
)
def test_samples_to_recalibrate_on_that_are_not_there(
    netstitch: Caller, finished: Finished, tmp_path: Path, asked: dict[str, str], message: str
) -> None:
    run = shutil.copytree(finished.folder, tmp_path / "run")
    document = json.loads((run / "run.json").read_text())
    document["config"] = document["config"] | asked if asked else {}
    (run / "run.json").write_text(json.dumps(document))
    called = netstitch("export", run, "--point", "wide", "--recalibrate", "-o", tmp_path / "e")
    assert called.code == 2
    assert message in called.error
    assert not (tmp_path / "e").exists()

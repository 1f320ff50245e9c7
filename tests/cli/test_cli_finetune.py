"""Fine-tuning a network of a run: before and after in one table, and the run as it was."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from cli_examples import Caller

import netstitch as ns
from netstitch.run import Finished


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("train", ["stitches", "all"])
def test_a_network_is_trained_measured_and_written(
    finished: Finished, tmp_path: Path, netstitch: Caller, train: str
) -> None:
    label = next(one.label for one in finished.front if one.stitches)
    before = digests(finished.folder)
    called = netstitch(
        "finetune", finished.folder, "--point", label, "--train", train, "--epochs", 2,
        "--learning-rate", 0.01, "-o", tmp_path / "tuned", "--formats", "json",
    )  # fmt: skip
    assert called.code == 0, called.err
    assert "before" in called.out
    assert "validation" in called.out
    assert digests(finished.folder) == before
    card = json.loads((tmp_path / "tuned" / "export.json").read_text())["card"]
    assert card["finetuned"]["trained"] == train
    point = finished.front.pick(point=label)
    assert card["validation_before"] == point.validation
    network = ns.load(tmp_path / "tuned")
    assert isinstance(network, torch.nn.Module)


def test_bad_input_is_one_line_and_leaves_nothing(
    finished: Finished, tmp_path: Path, netstitch: Caller
) -> None:
    folder = tmp_path / "tuned"
    label = finished.front.points[0].label

    def error(*options: object, point: str = label) -> str:
        called = netstitch("finetune", finished.folder, "--point", point, "-o", folder, *options)
        assert called.code == 2
        assert not folder.exists()
        return called.error

    assert "the front has no point '99'" in error(point="99")
    plain = next(one.label for one in finished.front.references)
    assert "the network has no stitches to train" in error(point=plain)
    assert "0 epochs" in error("--epochs", 0)
    assert "learning rate of -1" in error("--learning-rate", -1)
    assert "cannot run on device 'cuda:7'" in error("--device", "cuda:7")
    assert "is not there" in netstitch("finetune", tmp_path / "no", "--point", "1").error or True

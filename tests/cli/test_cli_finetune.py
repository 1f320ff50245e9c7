"""Fine-tuning a network of a run: before and after in one table, and the run as it was."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from cli_examples import Called, Caller
from run_examples import Quiet, write_experiment

import netstitch as ns
from netstitch.cli.console import Console
from netstitch.events import Advanced, Event
from netstitch.experiments import load_models, load_task, read_experiment
from netstitch.fitting.refinement.behaviour_losses import divergence
from netstitch.runs.finetuned_point import telling_of
from netstitch.runs.run import Finished, carry_out
from netstitch.tuning import FineTuneSettings
from netstitch.tuning.distilling import split_samples


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


@pytest.mark.parametrize("rate", [0.01, 1000])
def test_a_basis_network_learns_what_the_ensemble_puts_out(
    finished: Finished, tmp_path: Path, netstitch: Caller, rate: float
) -> None:
    before = digests(finished.folder)
    called = netstitch(
        "finetune", finished.folder, "--point", "wide", "--teacher", "ensemble", "--train", "all",
        "--epochs", 9, "--learning-rate", rate, "--batch-size", 8, "-o", tmp_path / "tuned",
        "--formats", "json",
    )  # fmt: skip
    assert called.code == 0, called.err
    assert "from the teacher's, on 9 samples held out" in called.out
    assert ("training diverged, and the rate was halved" in called.out) == (rate == 1000)
    assert digests(finished.folder) == before
    card = json.loads((tmp_path / "tuned" / "export.json").read_text())["card"]
    assert card["finetuned"]["teacher"] == "ensemble"
    assert card["finetuned"]["held_out"]["after"] < card["finetuned"]["held_out"]["before"]
    assert isinstance(ns.load(tmp_path / "tuned"), torch.nn.Module)


def test_a_cascade_learns_too_and_its_thresholds_are_chosen_again(
    finished: Finished, tmp_path: Path, netstitch: Caller
) -> None:
    cascade = finished.front.cascades[0]
    before = digests(finished.folder)
    called = netstitch(
        "finetune", finished.folder, "--point", cascade.label, "--teacher", "ensemble",
        "--train", "all", "--learning-rate", 0.01, "--batch-size", 8, "-o", tmp_path / "tuned",
        "--formats", "json",
    )  # fmt: skip
    assert called.code == 0, called.err
    assert "Thresholds now: " in called.out
    assert digests(finished.folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["tuned"]
    card = json.loads((tmp_path / "tuned" / "export.json").read_text())["card"]
    assert card["finetuned"]["held_out"]["after"] <= card["finetuned"]["held_out"]["before"]
    assert card["validation_before"] == cascade.validation
    network = ns.load(tmp_path / "tuned")
    assert isinstance(network, torch.nn.Module)
    task = load_task(read_experiment(finished.folder.parent / "tiny.toml"))
    with torch.inference_mode():
        outputs = network(task.validation.inputs)
    assert task.accuracy(outputs, task.validation.labels) == pytest.approx(card["validation"])


def test_a_cascade_that_comes_no_nearer_is_as_it_was(
    finished: Finished, tmp_path: Path, netstitch: Caller
) -> None:
    called = netstitch(
        "finetune", finished.folder, "--point", finished.front.cascades[0].label, "--teacher",
        "ensemble", "--train", "all", "--learning-rate", 1e-30, "--batch-size", 8,
        "-o", tmp_path / "tuned", "--formats", "json",
    )  # fmt: skip
    assert called.code == 0, called.err
    assert "no state was better: the cascade is as it was" in called.out


def test_bad_input_is_one_line_and_leaves_nothing(
    finished: Finished, tmp_path: Path, netstitch: Caller
) -> None:
    folder = tmp_path / "tuned"
    label = "wide"

    def error(*options: object, point: str = label) -> str:
        called = netstitch("finetune", finished.folder, "--point", point, "-o", folder, *options)
        assert called.code == 2
        assert not folder.exists()
        return called.error

    assert "the front has no point '99'" in error(point="99")
    plain = next(one.label for one in finished.front.references)
    assert "the network has no stitches to train" in error(point=plain)
    assert "epochs is 0; expected 1 or more" in error("--epochs", 0)
    assert "learning_rate is -1" in error("--learning-rate", -1)
    assert "there is no teacher 'nobody'; expected one of" in error("--teacher", "nobody")
    own = ("--teacher", label, "--train", "all")
    assert "the network is its own teacher, 'wide'" in error(*own)
    assert "whose stages learn a teacher's outputs and not labels" in error(point="C1")
    few = ("--teacher", "ensemble", "--train", "all", "--batch-size", 85)
    assert "9 are held out, and a batch is 85" in error(*few)
    assert "cannot run on device 'cuda:7'" in error("--device", "cuda:7")
    assert "run.json" in netstitch("finetune", tmp_path / "no", "--point", "1").error


@pytest.mark.parametrize("teacher", ["labels", "ensemble"])
def test_ctrl_c_keeps_how_far_it_is_and_the_same_command_goes_on(
    finished: Finished,
    tmp_path: Path,
    netstitch: Caller,
    monkeypatch: pytest.MonkeyPatch,
    teacher: str,
) -> None:
    label = next(one.label for one in finished.front if one.stitches)

    def tune(folder: Path) -> Called:
        return netstitch(
            "finetune", finished.folder, "--point", label, "--epochs", 4, "-o", folder,
            "--teacher", teacher, "--formats", "json",
        )  # fmt: skip

    listen = Console.__call__

    def stop(console: Console, event: Event) -> None:
        listen(console, event)
        if isinstance(event, Advanced) and event.done == 5 and event.text.startswith("loss"):
            raise KeyboardInterrupt

    expected = tune(tmp_path / "whole")
    assert expected.code == 0
    with monkeypatch.context() as patched:
        patched.setattr(Console, "__call__", stop)
        stopped = tune(tmp_path / "tuned")
    assert stopped.code == 130
    assert "the same command goes on" in stopped.out
    assert not (tmp_path / "tuned").exists()
    assert tune(tmp_path / "tuned").code == 0
    assert not (tmp_path / "tuned.training").exists()
    weights = [tmp_path / one / "weights.safetensors" for one in ("whole", "tuned")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_the_batch_is_that_of_the_run(
    finished: Finished, tmp_path: Path, netstitch: Caller
) -> None:
    label = next(one.label for one in finished.front if one.stitches)
    card = {}
    for name, options in (("own", ()), ("other", ("--batch-size", 5))):
        folder = tmp_path / name
        netstitch("finetune", finished.folder, "--point", label, "-o", folder, "--formats", "json",
                  *options)  # fmt: skip
        card[name] = json.loads((folder / "export.json").read_text())["card"]["finetuned"]
    assert card["own"]["batch_size"] == 32  # stitches that are solved for have none
    assert card["other"]["batch_size"] == 5


NORMED = """

class Normed(Chain):
    def __init__(self, width, seed):
        torch.manual_seed(seed)
        super().__init__(6, width, 5)
        self.body.insert(1, nn.BatchNorm1d(width))
        self.body.insert(4, nn.BatchNorm1d(5))


def normed_a():
    return Normed(8, 1)


def normed_b():
    return Normed(7, 2)
"""


def normed_run(folder: Path) -> Finished:
    """A run with batch norms, whose search measures them anew."""
    path = write_experiment(
        folder,
        ('"models.py:wide"\nweights = "wide.safetensors"', '"models.py:normed_a"'),
        ('"models.py:deep"\nweights = "deep.safetensors"', '"models.py:normed_b"'),
        ("[evaluation]", "[evaluation]\nrecalibrate = 40"),
        ("[refine]", "[cascades]\nenabled = false\n[refine]\nenabled = false"),
    )
    models = folder / "models.py"
    models.write_text(models.read_text() + NORMED)
    asked = read_experiment(path)
    return carry_out(asked, load_models(asked), load_task(asked), folder / "run", Quiet())


@pytest.mark.parametrize("teacher", ["labels", "ensemble"])
def test_a_run_that_recalibrates_is_measured_and_written_so(
    tmp_path: Path, netstitch: Caller, teacher: str
) -> None:
    run = normed_run(tmp_path)
    task = load_task(read_experiment(tmp_path / "tiny.toml"))
    stitched = max(run.front, key=lambda point: point.stitches)
    assert stitched.stitches
    called = netstitch(
        "finetune", run.folder, "--point", stitched.label, "--epochs", 3, "--learning-rate", 0.01,
        "-o", tmp_path / "tuned", "--formats", "json", "--teacher", teacher, "--batch-size", 8,
    )  # fmt: skip
    assert called.code == 0, called.err
    card = json.loads((tmp_path / "tuned" / "export.json").read_text())["card"]
    assert card["validation_before"] == stitched.validation
    network = ns.load(tmp_path / "tuned")
    assert isinstance(network, torch.nn.Module)
    with torch.inference_mode():
        outputs = network(task.validation.inputs)
    assert task.accuracy(outputs, task.validation.labels) == card["validation"]
    if teacher == "ensemble":  # what is written is the state that was compared
        assert task.training is not None
        _, held_out = split_samples(len(task.training), FineTuneSettings(batch_size=8))
        inputs = task.training.inputs[held_out]
        with torch.inference_mode():
            wanted = run.supernet.subnetwork(run.supernet.references()[teacher])(inputs)
            nats = divergence(network(inputs), wanted)
        assert float(nats) == pytest.approx(card["finetuned"]["held_out"]["after"], rel=1e-4)


def test_where_training_is_kept_is_told_of_any_stage(tmp_path: Path) -> None:
    listener, files = Quiet(), [tmp_path / "c.training", tmp_path / "c.training-2"]
    files[1].touch()
    with pytest.raises(KeyboardInterrupt), telling_of(files, listener):
        raise KeyboardInterrupt
    assert f"is kept in {files[1]}: the same command goes on" in listener.lines[-1]

"""`netstitch run` and `match`, and what bad input gets: one line, exit code 2, nothing written."""

import errno
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cli_examples import Caller
from run_examples import arrays, build, write_experiment
from safetensors.torch import save_file

from netstitch.optimization import ALGORITHMS
from netstitch.runs.recorded_run import open_run


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def files(folder: Path) -> set[Path]:
    # Importing models.py leaves byte code.
    return {path for path in folder.rglob("*") if "__pycache__" not in path.parts}


def refused(netstitch: Caller, folder: Path, *arguments: object) -> str:
    """The one line of a command that must fail and write nothing."""
    before = files(folder)
    called = netstitch(*arguments)
    assert called.code == 2
    assert files(folder) == before
    assert len(called.error) < 400
    return called.error


def test_the_papers_procedure_with_an_option_that_comes_before_it(
    experiment: Path, netstitch: Caller
) -> None:
    called = netstitch("run", experiment, "--paper", "-o", "out")
    assert called.code == 0, called.err
    assert "evaluated apart from the search: wide " in called.err + called.out
    settings = open_run(Path("out")).document.config
    evaluation, search = settings["evaluation"], settings["search"]
    assert (evaluation["in_flight"], evaluation["order"]) == (0, "finished")
    assert (search["references"], search["population"]) == ("apart", 8)
    assert (settings["fit"]["method"], settings["fit"]["holdout"]) == ("adam", 0)
    own = ("--paper", "--order", "asked", "--in-flight", 3)
    assert netstitch("run", experiment, *own, "-o", "own").code == 0
    evaluation = open_run(Path("own")).document.config["evaluation"]
    assert (evaluation["in_flight"], evaluation["order"]) == (3, "asked")


def test_a_run_shows_the_front_and_what_it_wrote(netstitch: Caller, experiment: Path) -> None:
    called = netstitch("run", experiment, "-o", "out")
    assert called.code == 0
    assert called.err == ""
    front = open_run(Path("out")).front
    for point in (*front.references, *front):
        assert f"\n{point.label} " in called.out
    assert "the search ended since its budget was spent" in " ".join(called.out.split())
    for name in ("front.png", "front.csv", "supernet", "evaluations.sqlite"):
        assert f"out/{name}" in called.out
        assert (Path("out") / name).exists()
    told = [line for line in called.out.splitlines() if "warning: " in line]
    assert len(told) == 1
    assert "every network is at chance" in told[0]  # their weights are random
    assert max(len(line) for line in called.out.splitlines() if line not in told) <= 110


def test_folders_are_numbered_where_none_is_given(netstitch: Caller, experiment: Path) -> None:
    few = ("--evaluations", "8", "--algorithm", "random")
    for folder in ("tiny-run", "tiny-run-2"):
        assert netstitch("run", experiment, *few).code == 0
        assert len(open_run(Path(folder)).front) > 0


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_every_algorithm_can_be_asked_for(
    netstitch: Caller, experiment: Path, algorithm: str
) -> None:
    called = netstitch("run", experiment, "-o", "out", "--algorithm", algorithm)
    assert (called.code, called.err) == (0, "")
    assert len(open_run(Path("out")).front) > 0


def test_a_population_may_be_swept(
    netstitch: Caller, experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netstitch.optimization.search_settings.SWEEP_SIZES", (4, 8))
    options = ("--algorithm", "ga", "--population-size", "sweep")
    called = netstitch("run", experiment, "-o", "out", *options)
    assert called.code == 0
    assert "search with a population of 4\n" in called.out
    rows = [line.split() for line in called.out.splitlines() if line.split()[-1:] == ["kept"]]
    assert [row[0] for row in rows] in (["4"], ["8"])
    line = refused(netstitch, experiment.parent, "run", experiment, "--population-size", "swep")
    assert "swep" in line


@pytest.mark.parametrize(
    "option, expected",
    [
        (("--evaluations", "60.9"), "expected a whole number, not '60.9'"),
        (("--seed", "1.5"), "expected a whole number, not '1.5'"),
        (("--population-size", "8.7"), "expected a whole number or 'sweep', not '8.7'"),
    ],
)
def test_numbers_are_not_rounded(
    netstitch: Caller, experiment: Path, option: tuple[str, str], expected: str
) -> None:
    line = refused(netstitch, experiment.parent, "run", experiment, *option)
    assert expected in line
    assert option[0] in line


def test_an_algorithm_that_is_not_installed_is_told_before_the_work(
    netstitch: Caller, experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pymoo", None)
    line = refused(netstitch, experiment.parent, "run", experiment, "--algorithm", "nsga2")
    assert "pip install 'netstitch[nsga2]'" in line


def test_match_shows_both_sides_of_each_match(netstitch: Caller, experiment: Path) -> None:
    before = files(experiment.parent)
    called = netstitch("match", experiment)
    assert called.code == 0
    assert "wide" in called.out
    assert "body.0 linear 8" in called.out
    assert "6 matches (the maximum)" in called.out
    assert files(experiment.parent) == before


def test_match_takes_the_experiments_settings(netstitch: Caller, experiment: Path) -> None:
    edit(experiment, "[search]", '[matching]\nobjective = "balanced"\n[search]')
    called = netstitch("match", experiment)
    assert called.code == 0
    assert "matches of weight" in called.out
    edit(experiment, '"balanced"', '"balance"')
    assert "did you mean 'balanced'" in refused(netstitch, experiment.parent, "match", experiment)


def test_an_experiment_that_is_not_there(netstitch: Caller, tmp_path: Path) -> None:
    line = refused(netstitch, tmp_path, "run", tmp_path / "none.toml")
    assert "none.toml: the experiment file is not there" in line


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("population = 8", "populaton = 8", "did you mean 'population'"),
        ("classes = 3", "clases = 3", "did you mean 'classes'"),
        ("population = 8", "population = 'many'", "population"),
        ("[search]", "[search", "no valid TOML"),
        (
            "evaluations = 60",
            "algorithm = 'ga'\nevaluations = 6",
            "smaller than the population of 8",
        ),
        ("[evaluation]", "[evaluation]\ndevice = 'gpu'", "device"),
        ("[evaluation]", "[evaluation]\ndevice = 'meta'", "'meta'"),
        ("models.py:deep", "models.py:deeep", "deep"),
        ("models.py:deep", "nowhere.py:deep", "nowhere.py"),
        ("deep.safetensors", "none.safetensors", "none.safetensors is not there"),
        ("deep.safetensors", "wide.safetensors", "wide.safetensors"),
        ("train.npz", "none.npz", "none.npz"),
    ],
)
def test_an_experiment_that_is_wrong(
    netstitch: Caller, experiment: Path, old: str, new: str, message: str
) -> None:
    edit(experiment, old, new)
    assert message in refused(netstitch, experiment.parent, "run", experiment)


@pytest.mark.parametrize(
    "model, message",
    [
        ("branching", r"models.py"),
        ("needs_eight", "needs_eight"),
        ("wider", "outputs have shape (2, 4)"),
        ("two_a", "2 keys"),
        ("direct", "compatible"),
    ],
)
def test_a_model_that_does_not_fit(
    netstitch: Caller, experiment: Path, model: str, message: str
) -> None:
    edit(experiment, 'models.py:deep"\nweights = "deep.safetensors"', f'models.py:{model}"')
    assert message in refused(netstitch, experiment.parent, "run", experiment)


class Planted:
    def __reduce__(self) -> Any:
        return os.system, ("touch planted",)


def test_weights_that_are_a_pickle_are_not_run(netstitch: Caller, experiment: Path) -> None:
    torch.save(Planted(), "deep.pt")
    edit(experiment, "deep.safetensors", "deep.pt")
    line = refused(netstitch, experiment.parent, "run", experiment)
    assert "deep.pt" in line
    assert "safetensors" in line
    assert not Path("planted").exists()


def test_where_a_checkpoint_has_its_weights_is_told(netstitch: Caller, experiment: Path) -> None:
    plain = netstitch("match", experiment)
    state = {f"module.{key}": tensor for key, tensor in build("deep").state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, "last.pth.tar")
    edit(experiment, "deep.safetensors", "last.pth.tar")
    line = "  network 'deep': weights of last.pth.tar stand under 'state_dict', with the prefix"
    called = netstitch("match", experiment)
    assert called.code == 0
    told = [each for each in called.out.splitlines() if each not in plain.out.splitlines()]
    assert told == [f"{line} 'module.'"]


def test_missing_and_surplus_tensors_are_named(netstitch: Caller, experiment: Path) -> None:
    state = build("deep").state_dict()
    bias = state.pop("head.bias")
    save_file(state, "deep.safetensors")
    line = refused(netstitch, experiment.parent, "run", experiment)
    assert "head.bias" in line
    save_file(state | {"head.bias": bias, "extra": bias.clone()}, "deep.safetensors")
    assert "extra" in refused(netstitch, experiment.parent, "run", experiment)


def test_weights_that_are_nan(netstitch: Caller, experiment: Path) -> None:
    state = build("deep").state_dict()
    state["body.0.weight"][0, 0] = float("nan")
    save_file(state, "deep.safetensors")
    assert "body.0.weight" in refused(netstitch, experiment.parent, "run", experiment)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda x, y: (x[:0], y[:0]), "no samples"),
        (lambda x, y: (x, y + 1), "label 3"),
        (lambda x, y: (x, y - 1), "label -1"),
        (lambda x, y: (np.where(x == x[5, 2], np.nan, x), y), "sample 5"),
        (lambda x, y: (np.where(x == x[5, 2], np.inf, x), y), "sample 5"),
        (lambda x, y: (x, y[:-1]), "labels"),
        (lambda x, y: (x[:, :4], y), "shape"),
    ],
)
@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_samples_that_cannot_be_used(
    netstitch: Caller, experiment: Path, part: str, change: Any, message: str
) -> None:
    inputs, labels = change(*arrays(30, seed=9))
    np.savez(f"{part}.npz", inputs=inputs, labels=labels)
    line = refused(netstitch, experiment.parent, "run", experiment)
    assert message in line
    # Of samples of two shapes either may be the wrong one; the later read is named.
    assert f"{part}.npz" in line or "shape" in line


def test_an_output_folder_that_is_not_empty(netstitch: Caller, experiment: Path) -> None:
    Path("out").mkdir()
    Path("out/mine").write_text("kept")
    line = refused(netstitch, experiment.parent, "run", experiment, "-o", "out")
    assert line.startswith("out exists and is not empty")
    assert Path("out/mine").read_text() == "kept"


def test_no_space_left(
    netstitch: Caller, experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    line = refused(netstitch, experiment.parent, "run", experiment, "-o", "out")
    assert "no space left on device" in line
    assert "out" in line


def test_an_interruption_has_its_own_exit_code(
    netstitch: Caller, experiment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("netstitch.runs.preparing.match_all", interrupt)
    before = files(experiment.parent)
    called = netstitch("run", experiment)
    assert called.code == 130
    assert called.error == "interrupted before it was done"
    assert files(experiment.parent) == before


def test_names_with_brackets_are_shown_as_they_are(netstitch: Caller, tmp_path: Path) -> None:
    folder = tmp_path / "[red]folder[/red]"
    folder.mkdir(parents=True)
    path = write_experiment(folder, ("evaluations = 60", "evaluations = 8"))
    called = netstitch("run", path, "-o", folder / "run")
    assert called.code == 0
    assert "[red]folder[/red]/run/front.png" in called.out


@pytest.mark.parametrize(
    "options, message",
    [
        (("--executor", "processes", "--workers", "1000"), "1000 workers were asked and there are"),
        (("--workers", "2"), "give the executor 'processes'"),
        (("--executor", "threads"), "threads"),
    ],
)
def test_evaluations_that_cannot_be_spread_so(
    netstitch: Caller, experiment: Path, options: tuple[str, ...], message: str
) -> None:
    called = netstitch("run", experiment, *options, "-o", "out")
    assert (called.code, called.out) == (2, "")
    assert message in called.error
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "key, message",
    [
        ("workers = 1000\n", "1000 workers were asked and there are"),
        ("cache = 1e9\n", "are computed together instead"),
        ("device = ['cpu', 'cuda:99']\n", "'cuda:99'"),
    ],
)
def test_an_evaluation_table_that_this_machine_cannot_do(
    netstitch: Caller, experiment: Path, key: str, message: str
) -> None:
    text = experiment.read_text().replace('executor = "serial"\nin_flight = 1', f"\n{key}")
    experiment.write_text(text)
    called = netstitch("run", experiment, "-o", "out")
    assert (called.code, called.out) == (2, "")
    assert message in called.error
    assert not Path("out").exists()


def test_a_dry_run_needs_no_weights_and_writes_nothing(netstitch: Caller, experiment: Path) -> None:
    for name in ("train.npz", "test.npz"):
        (experiment.parent / name).unlink()
    for weights in experiment.parent.glob("*.safetensors"):
        weights.unlink()
    before = files(experiment.parent)
    called = netstitch("run", experiment, "--dry-run")
    assert called.code == 0, called.error
    assert files(experiment.parent) == before
    rows = {line.split()[0]: line.split()[1:] for line in called.out.splitlines() if line.split()}
    wide, deep, both = (
        int(rows[name][0].replace(",", "")) for name in ("wide", "deep", "ensemble")
    )
    assert wide + deep == both
    assert int(rows["subnetwork"][0].replace(",", "")) > 0
    assert "Nothing was fitted, and nothing is written." in called.out
    assert "switches and the output's" in called.err + called.out
    assert "exits at 5 points are to be fitted, and cascades of up to 2 stages" in called.out
    edit(experiment, "[refine]", "[cascades]\nenabled = false\n[refine]")
    assert "cascades" not in netstitch("run", experiment, "--dry-run").out


def test_a_dry_run_of_an_experiment_at_imagenets_size(netstitch: Caller, tmp_path: Path) -> None:
    pytest.importorskip("timm")
    (tmp_path / "big.toml").write_text(
        """
        [[networks]]
        model = "timm:resnet10t"
        weights = "pretrained"
        [[networks]]
        model = "torchvision:shufflenet_v2_x0_5"
        weights = "nowhere.safetensors"
        [networks.images]
        mean = [0.5, 0.5, 0.5]
        std = [0.5, 0.5, 0.5]
        [task]
        classes = 1000
        [task.images]
        size = 64
        [task.training]
        source = "imagenet/train"
        [task.validation]
        source = "imagenet/val"
        """
    )
    called = netstitch("run", tmp_path / "big.toml", "--dry-run")
    assert called.code == 0, called.error
    assert "resnet10t" in called.out
    assert "shufflenet_v2_x0_5" in called.out


def test_what_does_not_fit_is_told_by_a_dry_run(netstitch: Caller, experiment: Path) -> None:
    edit(experiment, "classes = 3", "classes = 4")
    told = refused(netstitch, experiment.parent, "run", experiment, "--dry-run")
    assert "outputs have shape" in told


def test_a_device_that_is_not_there(experiment: Path, netstitch: Caller) -> None:
    for command in (("run", experiment), ("demo",)):
        called = netstitch(*command, "--device", "cuda:7", "-o", "run")
        assert called.code == 2
        assert "cannot run on device 'cuda:7'" in called.error
        assert not Path("run").exists()


THIRD = """[[networks]]
model = "models.py:MODEL"
[task]
classes"""


def test_three_networks_are_matched_and_joined(netstitch: Caller, experiment: Path) -> None:
    """All points are vectors: a network of 6 points and one of 4 are joined at 4, and so on."""
    edit(experiment, "[task]\nclasses", THIRD.replace("MODEL", "two"))
    with (experiment.parent / "models.py").open("a") as file:
        file.write("\ndef two():\n    torch.manual_seed(3)\n    return Chain(6, 9, 5)\n")
    called = netstitch("match", experiment)
    assert called.code == 0, called.err
    assert "matches that join 14 pairs of points (the maximum)" in called.out
    assert ["match", "wide", "deep", "two"] in [line.split() for line in called.out.splitlines()]


def test_a_network_that_is_listed_twice_is_told(netstitch: Caller, experiment: Path) -> None:
    again = 'name = "again"\nweights = "deep.safetensors"\n[task]\nclasses'
    third = THIRD.replace("MODEL", "deep").replace("[task]\nclasses", again)
    edit(experiment, "[task]\nclasses", third)
    called = netstitch("match", experiment)
    assert called.code == 0, called.err
    assert "networks 2 and 3, deep and again, are the same" in called.out + called.err

"""`netstitch cascade`, and cascades in the commands that take points of a front."""

import json
import shutil
from html import unescape
from pathlib import Path

import filelock
import pytest
from cli_examples import Caller
from run_examples import Quiet, write_experiment

from netstitch.experiments import load_models, load_task, read_experiment
from netstitch.files.folders import LOCK
from netstitch.records import read_document, read_run
from netstitch.records.unchanged import forget_files, note_files
from netstitch.report import page
from netstitch.report.compared_runs import read_runs
from netstitch.runs.finished import Finished
from netstitch.runs.recorded_run import open_run
from netstitch.runs.run import carry_out


@pytest.fixture
def folder(finished: Finished, tmp_path: Path) -> Path:
    """A copy of the finished run, beside its experiment."""
    shutil.copytree(finished.folder.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "run"


def test_it_writes_the_front_anew_and_prints_it(
    netstitch: Caller, folder: Path, finished: Finished
) -> None:
    called = netstitch("cascade", folder, "--stages", "3", "--stitched", "--candidates", "9")
    assert (called.code, called.err) == (0, "")
    assert str(folder / "front.csv") in called.out
    assert "C1" in called.out
    assert (folder / "report.html").exists()
    document = json.loads((folder / "run.json").read_text())
    settings = document["outcome"]["cascades"]["settings"]
    assert (settings["stages"], settings["stitched"], settings["candidates"]) == (3, True, 9)
    assert document["config"]["cascades"]["stages"] == 2  # what the run was asked
    assert open_run(folder).front.points == finished.front.points
    assert netstitch("status", folder).out.startswith("tiny: done")


def test_a_run_is_compared_and_shown_with_the_settings_of_its_cascades(
    netstitch: Caller, folder: Path
) -> None:
    other = folder.parent / "other"
    shutil.copytree(folder, other)
    assert netstitch("cascade", other, "--stages", "3").code == 0
    assert read_document(other).config_of_front["cascades"]["stages"] == 3
    assert '"stages": 3' in unescape(page(read_run(other)))
    groups = read_runs([folder, other]).groups
    assert [group.name for group in groups] == ["stages 2", "stages 3"]


def test_cascades_that_cannot_be_found_leave_those_that_are_there(
    netstitch: Caller, folder: Path
) -> None:
    before = (folder / "front.json").read_bytes()
    called = netstitch("cascade", folder, "--confidence", "agreement")
    assert called.code == 2
    assert "the confidence 'agreement' is between two outputs" in called.err
    assert (folder / "front.json").read_bytes() == before


def test_of_a_run_of_the_papers_procedure(netstitch: Caller, tmp_path: Path) -> None:
    change = ("seed = 1", 'seed = 1\nprocedure = "paper"'), ("[refine]\nsteps = 5\n", "")
    asked = read_experiment(write_experiment(tmp_path, *change))
    carry_out(asked, load_models(asked), load_task(asked), tmp_path / "run", Quiet())
    called = netstitch("cascade", tmp_path / "run")
    assert (called.code, called.err) == (0, "")
    assert "C1" in called.out


def without_evaluations(folder: Path) -> None:
    (folder / "evaluations.sqlite").unlink()


def edited(folder: Path, stage: dict[str, object]) -> None:
    path = folder / "front.json"
    document = json.loads(path.read_text())
    document["cascades"][0]["cascade"]["stages"][0] |= stage
    path.write_text(json.dumps(document))
    note_files(folder)


def of_another_supernet(folder: Path) -> None:
    edited(folder, {"subnetwork": [99]})


def with_another_exit(folder: Path) -> None:
    edited(folder, {"subnetwork": {"network": 1, "points": ["body_99"]}})


def with_a_threshold_of_two(folder: Path) -> None:
    edited(folder, {"threshold": 2.0})


def unfinished(folder: Path) -> None:
    forget_files(folder)
    (folder / "front.json").unlink()
    change(folder)


def killed_before_the_first_front_was_noted(folder: Path) -> None:
    forget_files(folder)
    change(folder)


def change(folder: Path) -> None:
    document = json.loads((folder / "run.json").read_text())
    del document["outcome"]
    (folder / "run.json").write_text(json.dumps(document))


def other_samples(folder: Path) -> None:
    document = json.loads((folder / "run.json").read_text())
    document["samples"]["validation"] = "0" * 32
    (folder / "run.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    "damage, message",
    [
        (without_evaluations, "evaluations.sqlite is missing; it holds what was evaluated: put it"),
        (of_another_supernet, "front.json is of another supernet: C1 does not fit its 13 switches"),
        (with_another_exit, "C1 reads 'body_99', which is no point of deep (stage 1)"),
        (
            with_a_threshold_of_two,
            "threshold is 2.0, and it should be less than 1); put back",
        ),
        (unfinished, "has no front yet, since it is stopped while it searched; netstitch resume"),
        (killed_before_the_first_front_was_noted, "has no front yet, since it is stopped while"),
        (other_samples, "the validation samples changed since the run began; put back"),
    ],
)
def test_a_run_that_cannot_get_any_is_one_line(
    netstitch: Caller, folder: Path, damage: object, message: str
) -> None:
    assert callable(damage)
    damage(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*.json")}
    called = netstitch("cascade", folder)
    assert called.code == 2
    assert message in called.error
    assert {path: path.read_bytes() for path in folder.rglob("*.json")} == before


def test_nor_does_one_that_is_going_on(netstitch: Caller, folder: Path) -> None:
    unfinished(folder)
    with filelock.FileLock(folder / LOCK):
        called = netstitch("cascade", folder)
    assert called.code == 2
    assert "has no front yet, since it is still searching; wait until it is done" in called.error


def test_what_is_done_belongs_to_one_process_too(netstitch: Caller, folder: Path) -> None:
    with filelock.FileLock(folder / LOCK):
        called = netstitch("cascade", folder)
    assert called.code == 2
    assert "is being run by another process" in called.error


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--stages", "5"], "--stages"),
        (["--stages", "1"], "--stages"),
        (["--candidates", "1"], "candidates is 1; expected 2 or more"),
        (["--candidates", "x"], "expected a whole number, not 'x'"),
        (["--confidence", "surety"], "surety"),
        (["--memory", "0"], "memory is 0; expected 1 or more"),
    ],
)
def test_options_that_cannot_be_used(
    netstitch: Caller, folder: Path, arguments: list[str], message: str
) -> None:
    called = netstitch("cascade", folder, *arguments)
    assert called.code == 2
    assert message in called.error


def test_a_cascade_is_exported_by_its_label(
    netstitch: Caller, folder: Path, finished: Finished
) -> None:
    for point in (finished.front.cascades[0], finished.front.cascades[-1]):
        called = netstitch("export", folder, "--point", point.label, "--formats", "pt2")
        assert (called.code, called.err) == (0, "")
        assert (
            f"{point.label}: {point.outputs[0]}, then {point.outputs[1]}: mean cost" in called.out
        )
        card = json.loads((folder / f"export-{point.label}" / "export.json").read_text())["card"]
        assert card["label"] == point.label
        assert card["worst_cost"] == point.worst_cost
        assert card["shares"]["validation"] == list(point.shares["validation"])


def test_limits_choose_cascades_too(netstitch: Caller, folder: Path, finished: Finished) -> None:
    cheapest = min(finished.front.cascades, key=lambda point: point.cost)
    limits = ("--max-mean-cost", str(cheapest.cost), "--formats", "pt2", "-o", folder / "mean")
    assert netstitch("export", folder, *limits).code == 0
    called = netstitch("export", folder, "--max-mean-cost", "1", "-o", folder / "none")
    assert called.code == 2
    assert "a mean cost of at most 1 multiply-adds" in called.error
    called = netstitch("export", folder, "--max-worst-case", "1", "-o", folder / "none")
    assert "a worst case of at most 1 multiply-adds" in called.error


def test_cascades_are_neither_trained_on_labels_nor_recalibrated(
    netstitch: Caller, folder: Path, finished: Finished
) -> None:
    label = finished.front.cascades[0].label
    called = netstitch("finetune", folder, "--point", label)
    assert called.code == 2
    assert (
        f"{label} is a cascade, whose stages learn a teacher's outputs and not labels"
        in called.error
    )
    called = netstitch("export", folder, "--point", label, "--recalibrate")
    assert called.code == 2
    assert f"{label} is a cascade, made for outputs as they are; leave out" in called.error

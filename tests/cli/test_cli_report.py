"""`netstitch report`: a page of a run, whatever state it is in, and one line for what is none."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from cli_examples import Caller
from run_examples import write_experiment

from netstitch.analysis import Front
from netstitch.evaluation.stored_evaluations import read_evaluations
from netstitch.report.choice_notes import choice_notes
from netstitch.runs.run import Finished


def test_a_page_into_the_run_folder(netstitch: Caller, finished: Finished, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished.folder, run)
    called = netstitch("report", run)
    assert (called.code, called.err) == (0, "")
    assert called.out.strip() == str(run / "report.html")
    text = (run / "report.html").read_text()
    for point in (*finished.front.references, *finished.front.points):
        assert f'data-label="{point.label}"' in text
    assert f"netstitch export {run} --point P1" in text


def test_a_page_elsewhere_leaves_the_run_as_it_was(
    netstitch: Caller, finished: Finished, tmp_path: Path
) -> None:
    before = sorted(path.name for path in finished.folder.iterdir())
    path = tmp_path / "page.html"
    assert netstitch("report", finished.folder, "--floor", "0.25", "-o", path).code == 0
    assert 'value="0.25" checked' in path.read_text()
    assert sorted(each.name for each in finished.folder.iterdir()) == before


@pytest.mark.parametrize("floor", ["low", "1.5", "-0.1", "nan"])
def test_a_floor_that_is_none(
    netstitch: Caller, finished: Finished, tmp_path: Path, floor: str
) -> None:
    path = tmp_path / "page.html"
    called = netstitch("report", finished.folder, f"--floor={floor}", "-o", path)
    assert called.code == 2
    assert called.error.startswith(f"--floor '{floor}' is no accuracy; give tenth, tight, or")
    assert not path.exists()


def test_a_folder_that_is_no_run(netstitch: Caller, tmp_path: Path) -> None:
    called = netstitch("report", tmp_path)
    assert called.code == 2
    assert "run.json" in called.error
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_run(netstitch: Caller, finished: Finished, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished.folder, run)
    (run / "evaluations.sqlite").write_bytes(b"nothing of the kind" * 50)
    called = netstitch("report", run)
    assert called.code == 2
    assert "evaluations.sqlite" in called.error
    assert not (run / "report.html").exists()


def test_a_run_whose_evaluations_are_gone(
    netstitch: Caller, finished: Finished, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished.folder, run)
    (run / "evaluations.sqlite").unlink()
    called = netstitch("report", run)
    assert called.code == 2
    assert "evaluations.sqlite is missing" in called.error


def test_a_place_that_cannot_be_written(
    netstitch: Caller, finished: Finished, tmp_path: Path
) -> None:
    called = netstitch("report", finished.folder, "-o", tmp_path / "missing" / "page.html")
    assert called.code == 2
    assert "missing" in called.error


def test_a_search_for_cross_entropy_that_was_confirmed(
    netstitch: Caller, finished: Finished, tmp_path: Path
) -> None:
    """From the experiment file to the page, and beside a search for accuracy."""
    path = write_experiment(
        tmp_path,
        ("classes = 3", "classes = 3\nconfirmation = 11"),
        ("[search]", '[search]\nobjective = "cross-entropy"'),
    )
    run = tmp_path / "run"
    called = netstitch("run", path, "-o", run)
    assert called.code == 0, called.err
    front = Front.from_json(run / "front.json")
    assert (front.objective, front.parts) == (
        "cross-entropy",
        ("validation", "confirmation", "test"),
    )
    found = read_evaluations(run / "evaluations.sqlite", "exp(-cross-entropy)", "multiply-adds")
    assert 0 < found.score.max() < 1
    text = (run / "report.html").read_text()
    assert "the least cross-entropy on validation samples for their multiply-adds" in text
    assert "exp(-cross-entropy)" in text
    for part in front.parts:
        assert f'data-chart="front-{part}"' in text
    assert ">validation minus confirmation<" in text
    for note in choice_notes(front):
        assert note.split(", in the mean")[0] in text
        assert note in " ".join(called.out.split())
    kinds = [row["kind"] for row in csv.DictReader((run / "front.csv").read_text().splitlines())]
    assert kinds.count("network") == len(front)
    assert kinds.count("unconfirmed network") == len(front.unconfirmed)
    header = (run / "front.csv").read_text().splitlines()[0].split(",")
    assert {"confirmation", "confirmation_gap", "validation_cross_entropy"} <= set(header)
    exported = netstitch("export", run, "--point", "1", "--formats", "json")
    assert exported.code == 0, exported.err
    card = json.loads((run / "export-P1" / "export.json").read_text())["card"]
    assert card["confirmation"] == front.points[0].confirmation
    refused = netstitch("compare", run, finished.folder, "-o", tmp_path / "compared")
    assert "the confirmation samples differ" in refused.error
    again = write_experiment(tmp_path, ("classes = 3", "classes = 3\nconfirmation = 11"))
    assert netstitch("run", again, "-o", tmp_path / "other").code == 0
    called = netstitch("compare", run, tmp_path / "other", "-o", tmp_path / "compared")
    assert called.code == 0, called.err
    compared = (tmp_path / "compared" / "compare.html").read_text()
    assert "The runs searched for different objectives" in compared
    assert "Over evaluations" not in compared
    assert "objective cross-entropy" in compared

"""`netstitch compare`: tables and a page of several runs, one line for what cannot be compared."""

import shutil
from pathlib import Path

import pytest
from cli_examples import Caller

from netstitch.runs.run import Finished


@pytest.fixture
def runs(finished: Finished, tmp_path: Path) -> tuple[Path, Path]:
    """A run, and the same again."""
    copies = tmp_path / "one", tmp_path / "two"
    for copy in copies:
        shutil.copytree(finished.folder, copy)
    return copies


def test_two_runs(netstitch: Caller, runs: tuple[Path, Path], tmp_path: Path) -> None:
    called = netstitch("compare", *runs, "-o", tmp_path / "compared")
    assert (called.code, called.err) == (0, "")
    assert "All runs were asked the same" in called.out
    assert str(tmp_path / "compared" / "compare.html") in called.out
    assert (tmp_path / "compared" / "compare.tex").read_text().startswith("% needs")


def test_one_run(netstitch: Caller, runs: tuple[Path, Path], tmp_path: Path) -> None:
    called = netstitch("compare", runs[0], "-o", tmp_path / "compared")
    assert called.code == 2
    assert called.error == "1 run was given to compare; give two or more run folders"
    assert not (tmp_path / "compared").exists()


def test_a_folder_that_is_no_run(
    netstitch: Caller, runs: tuple[Path, Path], tmp_path: Path
) -> None:
    called = netstitch("compare", runs[0], tmp_path / "none", "-o", tmp_path / "compared")
    assert called.code == 2
    assert "none" in called.error
    assert not (tmp_path / "compared").exists()

"""Names of output folders."""

from pathlib import Path

from netstitch.cli.places import free_folder


def test_the_first_name_that_is_free(tmp_path: Path) -> None:
    wanted = tmp_path / "run"
    assert free_folder(wanted) == wanted
    wanted.mkdir()
    (tmp_path / "run-2").write_text("a file")
    assert free_folder(wanted) == tmp_path / "run-3"

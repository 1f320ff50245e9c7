"""The log in a run's folder."""

from datetime import datetime
from pathlib import Path

from netstitch.events import Advanced, FolderOpened, Message, StageBegan
from netstitch.runs.listeners import LOG_FILE, RunLog


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def lines(folder: Path) -> list[str]:
    """The lines of a log without their times."""
    return [line[20:] for line in (folder / LOG_FILE).read_text().splitlines()]


def test_it_has_what_was_told_before_its_folder_was_there(tmp_path: Path) -> None:
    clock = Clock()
    log = RunLog(clock=clock)
    log(StageBegan("read"))
    log(FolderOpened(tmp_path))
    log(StageBegan("fit"))
    for second in (0.0, 31.0):
        clock.now = second
        log(Advanced(int(second), 62, "reading"))
    assert lines(tmp_path) == ["read", "fit", "  50%: reading, 31 s left"]
    assert datetime.fromisoformat((tmp_path / LOG_FILE).read_text()[:19])


def test_of_several_folders_each_has_what_was_told_from_then_on(tmp_path: Path) -> None:
    log = RunLog()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        log(FolderOpened(tmp_path / name))
        log(StageBegan(name))
    assert (lines(tmp_path / "one"), lines(tmp_path / "two")) == (["one"], ["two"])


def test_one_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    log = RunLog()
    log(FolderOpened(tmp_path / "gone"))
    log(Message("on and on"))
    assert not (tmp_path / "gone").exists()

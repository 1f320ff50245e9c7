"""The command line, called within the process."""

import sys
from dataclasses import dataclass

import pytest

from netstitch.cli import main


@dataclass(frozen=True)
class Called:
    """The result of a command: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The only line on stderr, without the name of the program."""
        (line,) = self.err.splitlines()
        assert line.startswith("netstitch: ")
        return line.removeprefix("netstitch: ")


class Caller:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> Called:
        self._monkeypatch.setattr(sys, "argv", ["netstitch", *map(str, arguments)])
        self._capsys.readouterr()
        code: object = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        out, err = self._capsys.readouterr()
        return Called(int(str(code or 0)), out, err)

"""Commands in messages can be copied into a shell, whatever names they have."""

import os
import shlex
from pathlib import Path

import pytest

from netstitch.commands import command
from netstitch.printable import one_line, printable


def test_a_command_is_whole() -> None:
    assert command("resume", Path("my run")) == "netstitch resume 'my run'"
    assert command("export", "run", "--point", "P1") == "netstitch export run --point P1"
    assert command("resume", Path("-x")) == "netstitch resume ./-x"


@pytest.mark.parametrize("name", ["a b", "it's", "$HOME", "é", ";x", "--trust"])
def test_a_shell_reads_it_back(name: str) -> None:
    assert shlex.split(command("status", name)) == ["netstitch", "status", name]


def test_what_cannot_be_printed_is_escaped_as_shells_do() -> None:
    name = os.fsdecode(b"x\x1b[2J'\\\xff")
    assert command("status", name) == r"netstitch status $'x\x1b[2J\'\\\xff'"


def test_text_for_a_terminal() -> None:
    assert printable("é – 漢 🙂\t", keep="\t") == "é – 漢 🙂\t"
    assert printable("\x1b[31m\x07\x9b\u202e") == r"\x1b[31m\x07\u009b\u202e"
    assert printable(os.fsdecode(b"\xff\n")) == r"\xff\x0a"
    assert one_line(" two  spaces\n   and a line\n") == "two  spaces and a line"

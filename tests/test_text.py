"""Messages stand on one line; commands in them can be copied, whatever names they have."""

import os
import shlex
from pathlib import Path

import pytest

from netstitch.text import (
    command,
    counted,
    did_you_mean,
    duration,
    expected_one_of,
    one_line,
    printable,
    printable_line,
    short_number,
)


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
    assert printable_line(" two  spaces\n   and a line\n") == "two  spaces and a line"


def test_what_an_error_says_fits_a_line() -> None:
    assert one_line(ValueError("a\n  b")) == "a b"
    assert one_line(KeyError()) == "KeyError"
    assert len(one_line(ValueError("x" * 1000))) == 200
    assert one_line(ValueError("a\nb"), kind=True) == "ValueError: a b"
    assert one_line(KeyError(), kind=True) == "KeyError"


def test_the_nearest_known_word_is_offered() -> None:
    assert did_you_mean("serach", ["seed", "search"]) == "did you mean 'search'? "
    assert did_you_mean("GA", ["ga", "random"]) == "did you mean 'ga'? "
    assert did_you_mean(7, ["ga", "random"]) == ""
    assert (
        expected_one_of("gaa", ["ga", "random"]) == "did you mean 'ga'? expected one of ga, random"
    )


def test_numbers_in_words() -> None:
    assert (counted(1, "stitch", "stitches"), counted(1200, "run")) == ("1 stitch", "1,200 runs")
    assert (short_number(1_234_567), short_number(999)) == ("1.23 M", "999")
    assert [duration(s) for s in (99, 100, 7200)] == ["99 s", "2 min", "2.0 h"]

"""Text for people: errors on one line, hints, amounts in words, and commands to copy.

Names of files and texts of documents come from elsewhere, and may hold anything: what is printed
has no control codes, and nothing that cannot be encoded.
"""

import re
import shlex
from collections.abc import Container, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control codes, separators of lines, turns of the writing direction, and halves of characters, as
which Python reads the bytes of a name that is not UTF-8."""

_UNITS = (("G", 1e9), ("M", 1e6), ("k", 1e3))


def printable(text: str, *, keep: str = "") -> str:
    r"""Return the text with escapes such as \x1b for what a terminal would obey, but for `keep`."""
    return _UNSAFE.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def first_of(names: Sequence[str], most: int = 3) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def printable_line(text: str) -> str:
    """Return the text on one line, printable; spaces within a line, as of a path, stay."""
    return printable(re.sub(r"\s*[\r\n]\s*", " ", text.strip()))


def _escape(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte of a name
        number -= 0xDC00
    elif number >= 0x80:
        return f"\\u{number:04x}"
    return f"\\x{number:02x}"


def unbroken(text: object) -> str:
    """Return a text on one line, with one space for all white space between two words."""
    return " ".join(str(text).split())


def one_line(error: BaseException, *, kind: bool = False) -> str:
    """Return the text of an error, short enough to stand within a message.

    Args:
        error: Any error; one that says nothing is named by its class.
        kind: Whether its class stands before what it says.
    """
    text = unbroken(error)[:200]
    name = type(error).__name__
    return f"{name}: {text}" if kind and text else text or name


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return "did you mean 'x'? " for the known word that is nearest, or nothing where none is."""
    text, words = str(word), list(known)
    for each in (text, text.lower()):
        if found := get_close_matches(each, words, n=1, cutoff=0.5):
            return f"did you mean {found[0]!r}? "
    return ""


def expected_one_of(word: object, known: Iterable[str]) -> str:
    """Return the hint of `did_you_mean`, and all that is known."""
    words = list(known)
    return f"{did_you_mean(word, words)}expected one of {', '.join(words)}"


def listed(names: Sequence[str]) -> str:
    """Return one or more names as "a, b and c"."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def counted(number: int, one: str, more: str | None = None) -> str:
    """Return a number and what it counts, such as "1 stitch" and "1,200 stitches"."""
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"


def numbered(name: str, taken: Container[str]) -> str:
    """Return a name, numbered from 2 where it is taken."""
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def unit_and_scale(number: float) -> tuple[str, float]:
    """Return the unit in which a number is written (G, M, k or none), and its size."""
    return next((unit for unit in _UNITS if number >= unit[1]), ("", 1.0))


def short_number(number: float) -> str:
    """Return a number, such as of multiply-adds, with three digits and a unit."""
    unit, scale = unit_and_scale(number)
    return f"{number / scale:.3g} {unit}" if unit else f"{number:.0f}"


def duration(seconds: float) -> str:
    """Return about how long, in the unit that a person would use."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def command(*words: str | Path) -> str:
    """Return a whole netstitch command, such as "netstitch resume 'my run'".

    Args:
        *words: What follows "netstitch"; each is quoted where a shell needs it. Paths are taken as
            paths even where they look like options.
    """
    return " ".join(["netstitch", *map(quoted, words)])


def quoted(word: str | Path) -> str:
    """Return a word of a command, quoted where a shell needs it."""
    text = str(word)
    if isinstance(word, Path) and text.startswith("-"):
        text = f"./{text}"
    if printable(text) == text:
        return shlex.quote(text)
    # What cannot be printed: in the form of bash and zsh, which takes escapes.
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{printable(escaped)}'"

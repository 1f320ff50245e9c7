"""Text for a terminal: without control codes, and with nothing that cannot be encoded.

Names of files and texts of documents come from elsewhere, and may hold anything.
"""

import re

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control codes, separators of lines, turns of the writing direction, and halves of characters, as
which Python reads the bytes of a name that is not UTF-8."""


def printable(text: str, *, keep: str = "") -> str:
    r"""Return the text with escapes such as \x1b in the place of what a terminal would obey.

    Args:
        text: Any text.
        keep: Characters that stay as they are, such as line ends.
    """
    return _UNSAFE.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def one_line(text: str) -> str:
    """Return the text on one line, printable; spaces within a line, as of a path, stay."""
    return printable(re.sub(r"\s*[\r\n]\s*", " ", text.strip()))


def _escape(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte of a name
        number -= 0xDC00
    elif number >= 0x80:
        return f"\\u{number:04x}"
    return f"\\x{number:02x}"

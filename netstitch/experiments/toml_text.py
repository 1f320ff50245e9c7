"""An experiment file as text, and its values before they are given a meaning."""

import codecs
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from netstitch.errors import ExperimentError

LARGEST = 1 << 24
"""Bytes that are read; an experiment file has thousands."""
DEEPEST = 200
"""Dots in a key that are read."""
_KEYS = re.compile(r"[^\w.\"' \t-]+")
"""What stands between dotted keys."""
LONGEST_NAME, LONGEST_PATH = 255, 4096
"""Bytes, on the file systems that there are."""
_WIDE = {
    codecs.BOM_UTF32_LE: "UTF-32",  # which begins as UTF-16's does
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read_toml_text(path: Path) -> str:
    """Return the text of an experiment file, without the byte-order mark that it may begin with.

    Raises:
        ExperimentError: It is not there, not a file, too large, or no text in UTF-8.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe or a device may never end
            kind = "is a directory" if stat.S_ISDIR(found.st_mode) else "is a pipe or a device"
            raise ExperimentError(
                f"{path} cannot be read ({kind}); expected an experiment file in TOML"
            )
        if found.st_size > LARGEST:
            raise ExperimentError(
                f"{path} has {found.st_size / 1e6:,.0f} MB; expected an experiment file in TOML"
            )
        content = path.read_bytes()
    except FileNotFoundError:
        raise ExperimentError(f"experiment file {path} is not there; check the path") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ExperimentError(
            f"{path!s:.200} cannot be read ({reason}); expected an experiment file in TOML"
        ) from error
    wide = next((name for mark, name in _WIDE.items() if content.startswith(mark)), None)
    if wide is None and b"\0" in content[:4] and content[:4].strip(b"\0"):
        wide = "UTF-16 or UTF-32"
    if wide is not None:
        raise ExperimentError(f"{path} is text in {wide}; expected TOML in UTF-8, save it as that")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExperimentError(f"{path} is no text in UTF-8; expected TOML") from error
    if any(part.count(".") > DEEPEST for part in _KEYS.split(text)):
        raise too_deep(path)  # the parser takes memory for the square of it
    return text.replace("\r\n", "\n").replace("\r", "\n")


def too_deep(path: Path) -> ExperimentError:
    """Return the error for a file of which values stand within too many others."""
    return ExperimentError(
        f"{path} has lists or tables within one another too deep to be read; expected an "
        "experiment, whose tables are four deep at most"
    )


def check_values(document: dict[str, Any]) -> None:
    """Raise ExperimentError, naming the key, for values that no setting can have.

    These are whole numbers of more than 64 bits, and texts that are too long to name a file, or
    have the character 0.
    """
    for key, value in _values("", document):
        fault = None
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            fault = "is a whole number of more than 64 bits; give a smaller one"
        if isinstance(value, str):
            encoded = value.encode()
            if "\0" in value:
                fault = "has the character 0, which no name can have; leave it out"
            elif len(encoded) > LONGEST_PATH or any(
                len(part) > LONGEST_NAME for part in encoded.split(b"/")
            ):
                fault = (
                    f"is a text of {len(value):,} characters; expected names of {LONGEST_NAME} "
                    f"bytes at most, and paths of {LONGEST_PATH:,}"
                )
        if fault is not None:
            raise ExperimentError(f"{key[-200:]} {fault}")


def _values(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _values(f"{key}.{name}".lstrip("."), inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value, start=1):
            yield from _values(f"{key}[{number}]", inner)
    else:
        yield key, value

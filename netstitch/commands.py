"""Commands as a user can copy them into a shell."""

import shlex
from pathlib import Path

from netstitch.printable import printable


def command(*words: str | Path) -> str:
    """Return a whole netstitch command, such as "netstitch resume 'my run'".

    Args:
        *words: What follows "netstitch"; each is quoted where a shell needs it. Paths are taken as
            paths even where they look like options.
    """
    return " ".join(["netstitch", *map(_quoted, words)])


def _quoted(word: str | Path) -> str:
    text = str(word)
    if isinstance(word, Path) and text.startswith("-"):
        text = f"./{text}"
    if printable(text) == text:
        return shlex.quote(text)
    # What cannot be printed: in the form of bash and zsh, which takes escapes.
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{printable(escaped)}'"

"""The command that is being carried out, to be given once more."""

import sys

from netstitch.text import command


def again(*options: str) -> str:
    """Return the whole command as it was given, with options more."""
    return command(*sys.argv[1:], *options)

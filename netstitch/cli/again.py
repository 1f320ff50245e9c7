"""The command that is being carried out, to be given once more."""

import sys

from netstitch.commands import command


def again_with(option: str) -> str:
    """Return the whole command as it was given, with one option more."""
    return command(*sys.argv[1:], option)

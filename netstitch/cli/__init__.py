"""The command line."""

from netstitch.cli.app import main

__all__ = [
    "main",
]

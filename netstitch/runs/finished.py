"""A run that came to its end, or was interrupted while it searched or found cascades."""

from dataclasses import dataclass
from pathlib import Path

from netstitch.analysis import Front
from netstitch.records import Outcome
from netstitch.supernet.supernet import Supernet


@dataclass(frozen=True)
class Finished:
    """A run with a front.

    Attributes:
        supernet: With the stitches that were searched.
        front: As it was measured.
        outcome: The counts of its search, and why it ended.
    """

    folder: Path
    supernet: Supernet
    front: Front
    outcome: Outcome

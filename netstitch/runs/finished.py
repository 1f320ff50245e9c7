"""A run that came to its end, or was interrupted while it searched, and its front's files."""

from dataclasses import dataclass
from pathlib import Path

from netstitch.analysis import Front, front_figure
from netstitch.records import Outcome
from netstitch.records.run_folder import FRONT_FILE
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


def write_front(folder: Path, front: Front, title: str) -> None:
    """Replace the files of a run's front, each in one step, the one that is read again last."""
    front.to_csv(folder / "front.csv")
    front_figure(front, folder / "front.png", title=title, floor="tight")
    front.to_json(folder / FRONT_FILE)

"""The files of a run's front."""

from pathlib import Path

from netstitch.analysis import Front, front_figure
from netstitch.records.run_folder import FRONT_FILE


def write_front(folder: Path, front: Front, title: str) -> None:
    """Replace the files of a run's front, each in one step, the one that is read again last."""
    front.to_csv(folder / "front.csv")
    front_figure(front, folder / "front.png", title=title, floor="tight")
    front.to_json(folder / FRONT_FILE)

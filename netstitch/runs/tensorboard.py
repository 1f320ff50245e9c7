"""A run's numbers as scalars of TensorBoard, over evaluations; an extra."""

from pathlib import Path
from typing import Any

from netstitch.errors import SearchError
from netstitch.searching.search_progress import SearchProgress


def scalars(standing: SearchProgress) -> dict[str, float]:
    """What is plotted over evaluations."""
    found = {
        "search/evaluated": standing.evaluated,
        "search/skipped": standing.skipped,
        "search/failed": standing.failed,
        "search/ended early": standing.bounded,
        "search/archived": standing.archived,
        "search/hypervolume": standing.hypervolume,
        "workers/rate": standing.rate,
        "workers/idle": standing.idle,
        "workers/in_flight": standing.in_flight,
    }
    if standing.cross_entropy is not None:
        found["search/best_cross_entropy"] = standing.cross_entropy
    elif standing.score is not None:
        found["search/best_accuracy"] = standing.score
    return found


class TensorBoard:
    """Scalars of a run, one series for each search; to be closed.

    folder: where the files of events go. Raises SearchError where TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        check_tensorboard()
        from torch.utils.tensorboard.writer import SummaryWriter

        self._folder, self._writer_of = folder, SummaryWriter
        self._writers: dict[int, Any] = {}

    def __call__(self, standing: SearchProgress) -> None:
        if standing.search not in self._writers:
            place = self._folder / f"population-{standing.search}"
            self._writers[standing.search] = self._writer_of(str(place))
        writer = self._writers[standing.search]
        for name, value in scalars(standing).items():
            writer.add_scalar(name, value, standing.used, walltime=standing.written)
        writer.flush()

    def close(self) -> None:
        """End the files."""
        for writer in self._writers.values():
            writer.close()


def check_tensorboard() -> None:
    """Raise SearchError where TensorBoard is not installed."""
    try:
        import tensorboard  # noqa: F401
    except ImportError:
        raise SearchError(
            "TensorBoard is not installed: pip install 'netstitch[tensorboard]'"
        ) from None

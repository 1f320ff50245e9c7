"""A listener that writes a search's numbers as scalars of TensorBoard; an extra."""

from pathlib import Path
from typing import TYPE_CHECKING

from netstitch.errors import SearchError
from netstitch.events import Event
from netstitch.searching.search_progress import SearchMeasured, SearchProgress

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter


def scalars(progress: SearchProgress) -> dict[str, float]:
    """Return what is plotted over evaluations, by name."""
    found = {
        "search/evaluated": progress.evaluated,
        "search/skipped": progress.skipped,
        "search/failed": progress.failed,
        "search/ended early": progress.bounded,
        "search/archived": progress.archived,
        "search/hypervolume": progress.hypervolume,
        "workers/rate": progress.rate,
        "workers/idle": progress.idle,
        "workers/in_flight": progress.in_flight,
    }
    if progress.cross_entropy is not None:
        found["search/best_cross_entropy"] = progress.cross_entropy
    elif progress.score is not None:
        found["search/best_accuracy"] = progress.score
    return found


class TensorBoard:
    """Scalars of a run in a folder, one series for each search; to be closed.

    Raises:
        SearchError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import tensorboard  # noqa: F401
        except ImportError:
            raise SearchError(
                "TensorBoard is not installed: pip install 'netstitch[tensorboard]'"
            ) from None
        self._folder = folder
        self._writers: dict[int, SummaryWriter] = {}

    def __call__(self, event: Event) -> None:
        """Write the scalars of a search that was measured; other events are ignored."""
        if not isinstance(event, SearchMeasured):
            return
        from torch.utils.tensorboard.writer import SummaryWriter

        progress = event.progress
        if progress.search not in self._writers:
            folder = self._folder / f"population-{progress.search}"
            self._writers[progress.search] = SummaryWriter(str(folder))
        writer = self._writers[progress.search]
        for name, value in scalars(progress).items():
            writer.add_scalar(name, value, progress.used, walltime=progress.written)
        writer.flush()

    def close(self) -> None:
        """End the files."""
        for writer in self._writers.values():
            writer.close()

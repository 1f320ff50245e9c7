"""The images of a data set as files, with their classes, before any is opened."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from netstitch.tasks.datasets.sample_selection import Selection, chosen


@dataclass(frozen=True)
class Listing:
    """Files of images, and what each shows.

    labels: a class number each; where there are maps, these say it for each pixel and labels are 0.
    masks: files of label maps, one each, or none at all. classes: names, in the order of numbers.
    mixed: whether they are in a random order. note: what who reads a result should know of them.
    left_out: a sentence on files that lie there and are not read, where there are any.
    """

    files: tuple[str, ...]
    labels: tuple[int, ...]
    masks: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    mixed: bool = False
    note: str = ""
    left_out: str = ""

    def __len__(self) -> int:
        return len(self.files)

    def kept(self, limit: int | None, selection: Selection, seed: int = 0) -> "Listing":
        """Those that a limit keeps; see `netstitch.tasks.datasets.sample_selection.chosen`."""
        indices = chosen(self.labels, limit, selection, seed)
        return replace(self.taken(indices), mixed=selection == "random" or self.mixed)

    def taken(self, indices: Sequence[int]) -> "Listing":
        """Those at indices, in their order."""
        return replace(
            self,
            files=tuple(self.files[index] for index in indices),
            labels=tuple(self.labels[index] for index in indices),
            masks=tuple(self.masks[index] for index in indices) if self.masks else (),
        )

"""The images of a data set as files, with their classes, before any is opened."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from netstitch.tasks.datasets.folder_walk import Kinds, check_one_label, describe_left_out
from netstitch.tasks.datasets.sample_selection import Selection, chosen


@dataclass(frozen=True)
class Listing:
    """Files of images, and what each shows.

    Attributes:
        files: Paths of the images.
        labels: A class number each; 0 where there are masks, which say it for each pixel.
        masks: Files of label maps, one each, or none at all.
        classes: Their names, in the order of their numbers.
        mixed: Whether the images are in a random order.
        note: A remark for those who read a result.
        left_out: A sentence on files that lie there and are not read, where there are any.
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

    def kept(self, limit: int | None, selection: Selection) -> "Listing":
        """Return the images that a limit keeps; see `chosen`."""
        indices = chosen(self.labels, limit, selection)
        return replace(self.taken(indices), mixed=selection == "random" or self.mixed)

    def taken(self, indices: Sequence[int]) -> "Listing":
        """Return the images at indices, in their order."""
        return replace(
            self,
            files=tuple(self.files[index] for index in indices),
            labels=tuple(self.labels[index] for index in indices),
            masks=tuple(self.masks[index] for index in indices) if self.masks else (),
        )


def labelled_images(
    images: Sequence[tuple[str, int]], classes: Sequence[str], left_out: Kinds, note: str = ""
) -> Listing:
    """Return a listing of files and their labels.

    Raises:
        DataError: Where links or hard links bring one file in under two labels.
    """
    files, labels = zip(*images, strict=True)
    check_one_label(files, labels, classes)
    said = describe_left_out(left_out)
    return Listing(files, labels, classes=tuple(classes), note=note, left_out=said)

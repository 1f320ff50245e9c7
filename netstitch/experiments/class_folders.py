"""Class folders of the parts of an experiment: the same in all, so that labels mean the same."""

from collections.abc import Mapping

from netstitch.errors import DataError
from netstitch.experiments.experiment import Experiment
from netstitch.experiments.named_data_sets import is_data_set
from netstitch.experiments.task_table import SamplesTable
from netstitch.tasks import Listing
from netstitch.tasks.datasets.class_order import differences
from netstitch.text import printable

NAMED_ALIKE = "imagenet:"
"""Sources of the data set whose classes are named as its folders are."""


def class_folders_of(listing: Listing | None, table: SamplesTable) -> tuple[str, ...]:
    """Return the names of a part's class folders, by label; none where its classes are no folders.

    Args:
        listing: The images of the part, None where it has none.
        table: Its table.
    """
    named = not is_data_set(table.source) or table.source.startswith(NAMED_ALIKE)
    return listing.classes if listing is not None and named else ()


def check_class_folders(
    experiment: Experiment, part: str, names: Mapping[str, tuple[str, ...]], source: str
) -> None:
    """Check that a part has the class folders of the others, as many as there are classes.

    The part is held against the first one that has as many class folders as the task has classes.

    Args:
        experiment: What says the number of classes.
        part: The part's name.
        names: The class folders of all parts.
        source: The part's source.

    Raises:
        DataError: It has other class folders, or another number of them.
    """
    found, classes = names[part], experiment.task.classes
    if not found:
        return
    like = next((one for one, its in names.items() if len(its) == classes), next(iter(names)))
    if set(found) != set(names[like]):
        raise DataError(
            f"its class folders are not those of {like}: {differences(found, names[like])}; "
            "expected the same, or classes would be numbered apart: put the missing folders there, "
            "with their images, and remove the others"
        )
    if classes not in (None, len(found)):
        shown = printable(", ".join(found[:5])) + (", ..." if len(found) > 5 else "")
        raise DataError(
            f"{experiment.located(source)} holds {len(found)} class folders; expected {classes} "
            f"and found {shown}: check the folder and the number of classes"
        )

"""An experiment's samples and its task, from where its file says they are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from netstitch.errors import DataError
from netstitch.events import Advanced, Event, Listener, Message, ignore
from netstitch.experiments.experiment import Experiment
from netstitch.experiments.named_data_sets import check_there, is_data_set
from netstitch.experiments.network_loading import find_weights, load_models
from netstitch.experiments.normalisation import other_images
from netstitch.experiments.sample_sources import list_images, read_source
from netstitch.experiments.task_table import SamplesTable, TaskTable
from netstitch.tasks import Classification, Listing, Samples, Segmentation, Task, agreement
from netstitch.tasks.datasets.class_order import differences
from netstitch.tasks.datasets.overlap import overlaps
from netstitch.tasks.datasets.sample_selection import apart
from netstitch.text import printable

READING_ORDER = ("validation", "confirmation", "training", "test")
"""In the order in which they are read."""
COMPARING_ORDER = ("training", "validation", "confirmation", "test")
"""In the order in which they are held against one another."""
LABELLED: Mapping[str, Callable[..., Task]] = {
    "classification": Classification,
    "segmentation": Segmentation,
}
"""Tasks by kind, where samples have labels."""
NAMED_ALIKE = "imagenet:"
"""Sources of the data set whose classes are named as its folders are."""


def load_experiment(
    experiment: Experiment,
    listener: Listener = ignore,
    parts: Sequence[str] = READING_ORDER,
) -> tuple[list[tuple[str, nn.Module]], Task]:
    """Return the networks by name and the task, once all that the file names was found.

    What is missing is said before the work; whether the networks fit the images is told.

    Args:
        experiment: What names them.
        listener: Told what was found, warnings among it, and how far reading is.
        parts: The parts of the samples that are read, since decoding can take an hour.
    """
    find_weights(experiment)
    images = find_images(experiment, parts)
    models = load_models(experiment, listener=listener)
    task = load_task(experiment, listener, models, images)
    for line in other_images(experiment, models, task):
        listener(Message(line, warning=True))
    return models, task


def find_images(
    experiment: Experiment, parts: Sequence[str] = READING_ORDER
) -> dict[str, Listing | None]:
    """Return the images of parts whose sources are data sets or folders; None for others.

    Nothing is decoded, so that what is missing is known before the work.

    Raises:
        DataError: A source is missing or laid out otherwise, or has class folders that are not
            those of the other parts, or not as many as classes; it and its part are named.
    """
    check_there(experiment)
    found: dict[str, Listing | None] = {}
    count = experiment.task.confirmation
    sources = _sources(experiment, parts)
    for part, table in sources.items():
        with _located(part, table):
            listing = list_images(experiment, table)
            if part == "validation" and count is not None and "confirmation" in parts:
                listing, found["confirmation"] = _listed_apart(listing, count, table)
            found[part] = listing
    if experiment.task.kind == "classification":
        _check_class_folders(experiment, sources, found)
    return found


def load_task(
    experiment: Experiment,
    listener: Listener = ignore,
    models: Sequence[tuple[str, nn.Module]] | None = None,
    images: Mapping[str, Listing | None] | None = None,
) -> Task:
    """Return the task with its samples, read and preprocessed once.

    Args:
        experiment: What names them.
        listener: Told what was left out, what it takes on the disk, and of samples that are in two
            parts or have two labels; each line once.
        models: What `load_models` gave, which label the samples of a task of kind "agreement";
            where they are not given, they are loaded for that.
        images: What `find_images` gave; parts that it was not asked for are left out.

    Raises:
        DataError: A source is missing, empty, damaged, or of another kind, or its samples do not
            fit the task; its part (training, validation or test) and the source are named.
    """
    table = experiment.task
    images = find_images(experiment) if images is None else images
    samples: dict[str, Samples | None] = dict.fromkeys(READING_ORDER)
    sources = _sources(experiment, tuple(images))
    if "confirmation" in images:
        sources["confirmation"] = table.validation
    once: set[Event] = set()

    def tell(event: Event) -> None:
        if event not in once:  # a folder may be that of several parts
            listener(event)
        if isinstance(event, Message):
            once.add(event)

    for part in (part for part in READING_ORDER if part in images):
        source = sources[part]
        with _located(part, source):
            if part == "confirmation" and images[part] is None:  # read with validation's
                assert table.confirmation is not None
                samples["validation"], read = _apart(samples["validation"], table.confirmation)
            else:
                read = read_source(experiment, part, source, images[part], tell)
            if table.classes is not None:
                # A task of this part and the first alone: what does not fit is then this part's.
                first = samples["validation"] or read
                LABELLED[table.kind](validation=first, training=read, classes=table.classes)
        samples[part] = read
        listener(Advanced(len(read), len(read), part))
    for sentence in overlaps({part: its for part in COMPARING_ORDER if (its := samples[part])}):
        tell(Message(sentence, warning=True))
    if table.kind == "agreement" and models is None:
        models = load_models(experiment, listener=listener)
    return task_of(table, samples, models or ())


def _check_class_folders(
    experiment: Experiment,
    sources: Mapping[str, SamplesTable],
    found: Mapping[str, Listing | None],
) -> None:
    """Raise DataError where parts have other class folders than one another or than classes.

    A part is held against the first one that has as many class folders as the task has classes.
    """
    names, classes = {}, experiment.task.classes
    for part, table in sources.items():
        listing = found[part]
        named = not is_data_set(table.source) or table.source.startswith(NAMED_ALIKE)
        if listing is not None and listing.classes and named:
            names[part] = listing.classes
    like = next((one for one, its in names.items() if len(its) == classes), next(iter(names), ""))
    for part, own in names.items():
        with _located(part, sources[part]):
            if set(own) != set(names[like]):
                raise DataError(
                    f"its class folders are not those of {like}: {differences(own, names[like])}; "
                    "expected the same, or classes would be numbered apart: put the missing "
                    "folders there, with their images, and remove the others"
                )
            if classes not in (None, len(own)):
                shown = printable(", ".join(own[:5])) + (", ..." if len(own) > 5 else "")
                folder = experiment.located(sources[part].source)
                raise DataError(
                    f"{folder} holds {len(own)} class folders; expected {classes} and found "
                    f"{shown}: check the folder and the number of classes"
                )


def _sources(experiment: Experiment, parts: Sequence[str]) -> dict[str, SamplesTable]:
    """Return the sources of parts; that of validation samples with those that are to confirm."""
    task = experiment.task
    found = {"validation": task.validation, "training": task.training, "test": task.test}
    limit, count = task.validation.limit, task.confirmation
    if limit is not None and count is not None and "confirmation" in parts:
        found["validation"] = task.validation.model_copy(update={"limit": limit + count})
    return {part: table for part in READING_ORDER if part in parts and (table := found.get(part))}


def _listed_apart(
    listing: Listing | None, count: int, table: SamplesTable
) -> tuple[Listing | None, Listing | None]:
    if listing is None:
        return None, None
    kept, rest = apart(listing.labels, count, table.selection)
    return listing.taken(kept), listing.taken(rest)


def _apart(samples: Samples | None, count: int) -> tuple[Samples, Samples]:
    assert samples is not None
    labels = samples.labels if samples.labels.ndim == 1 else torch.zeros(len(samples))
    kept, rest = apart(labels.tolist(), count, "evenly")
    parted = samples.taken(torch.tensor(kept)), samples.taken(torch.tensor(rest))
    return parted[0], replace(parted[1], name="confirmation")


def task_of(
    table: TaskTable,
    samples: Mapping[str, Samples | None],
    models: Sequence[tuple[str, nn.Module]],
) -> Task:
    """Return the task that a table says.

    Args:
        table: What the task is.
        samples: By part; the task does not have those that are missing, but validation must be.
        models: By name; they label the samples of "agreement".
    """
    validation = samples["validation"]
    assert validation is not None
    settings: dict[str, Any] = {
        "validation": validation,
        "training": samples.get("training"),
        "confirmation": samples.get("confirmation"),
        "test": samples.get("test"),
        "output": table.output,
        "ensemble": table.ensemble,
        "views": table.views,
    }
    if table.kind == "agreement":
        return agreement([model for _, model in models], **settings)
    assert table.classes is not None
    return LABELLED[table.kind](classes=table.classes, **settings)


@contextmanager
def _located(part: str, table: SamplesTable) -> Iterator[None]:
    """Say which part of the task, and which source, an error is about."""
    try:
        yield
    except DataError as error:
        text = str(error).removeprefix(f"{part}: ")
        raise DataError(f"{part} samples ({table.source}): {text}") from error

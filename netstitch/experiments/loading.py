"""An experiment's models and samples, from where its file says they are."""

from collections.abc import Callable, Iterator, Sequence, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from netstitch.errors import DataError, NetstitchError
from netstitch.experiments.experiment import Experiment, NetworkTable
from netstitch.experiments.task_table import SamplesTable, TaskTable
from netstitch.experiments.unlabelled import read_unlabelled
from netstitch.networks import adapted
from netstitch.networks.functions import call_function, is_function
from netstitch.networks.sources import PRETRAINED, load_model
from netstitch.tasks import (
    Classification,
    Preprocessing,
    Samples,
    agreement,
    evenly,
    from_arrays,
    from_dataset,
    from_file,
    from_image_folder,
)

Progress = Callable[[str, int, int], None]
"""Called with the part ("training", "validation", "test"), samples read, and samples in all."""

FILES = (".npz", ".safetensors")
EXAMPLE_SIZE = 2


def load_models(experiment: Experiment, *, weights: bool = True) -> list[tuple[str, nn.Module]]:
    """The networks' names and models in the file's order, in evaluation mode, with their weights.

    weights: whether those that the file names are read; else models stay as they are built.

    Raises CaptureError or WeightsError, naming the network, as `load_model` does.
    """
    networks = experiment.networks
    if not weights:
        networks = [network.model_copy(update={"weights": None}) for network in networks]
    return [(network.name, _load_model(experiment, network)) for network in networks]


def load_task(
    experiment: Experiment,
    progress: Progress | None = None,
    models: Sequence[tuple[str, nn.Module]] | None = None,
) -> Classification:
    """The task with its samples, read and preprocessed once.

    models: what `load_models` gave, which label the samples of a task of kind "agreement"; where
        they are not given, they are loaded for that.

    Raises DataError, naming the part (training, validation or test) and its source, when a source
    is missing, empty, damaged, or of another kind, and when its samples do not fit the task.
    """
    table = experiment.task
    if table.kind == "agreement":
        named = load_models(experiment) if models is None else models
        parts = _read_unlabelled(experiment, progress)
        return agreement(
            [model for _, model in named],
            **parts,
            output=table.output,
            ensemble=table.ensemble,
        )
    assert table.classes is not None
    parts = {"validation": table.validation, "training": table.training, "test": table.test}
    samples: dict[str, Samples | None] = {}
    for part, source in parts.items():
        if source is None:
            samples[part] = None
            continue
        with _located(part, source):
            read = _read(experiment, part, source, progress)
            # A task of this part and the first alone: what does not fit is then this part's.
            first = samples.get("validation") or read
            Classification(validation=first, training=read, classes=table.classes)
        samples[part] = read
        if progress is not None:
            progress(part, len(read), len(read))
    validation = samples["validation"]
    assert validation is not None
    return Classification(
        validation=validation,
        training=samples["training"],
        test=samples["test"],
        classes=table.classes,
        output=table.output,
        ensemble=table.ensemble,
    )


def _read_unlabelled(experiment: Experiment, progress: Progress | None) -> dict[str, Any]:
    """Samples by part, whose labels do not count."""
    table = experiment.task
    found: dict[str, Samples | None] = {}
    sources = {"validation": table.validation, "training": table.training, "test": table.test}
    for part, source in sources.items():
        if source is None:
            found[part] = None
            continue
        with _located(part, source):
            found[part] = read_unlabelled(experiment, part, source, progress)
    return found


def example_batch(task: Classification) -> Tensor:
    """The inputs (at most 2, ...) that models are captured with: the first of validation."""
    return task.validation.inputs[:EXAMPLE_SIZE]


def _load_model(experiment: Experiment, network: NetworkTable) -> nn.Module:
    weights: Path | str | None = network.weights
    if weights is not None and weights != PRETRAINED:
        weights = Path(weights).expanduser()
    try:
        model = load_model(network.model, weights, folder=Path(experiment.folder))
        if network.images is None:
            return model
        own, task = network.images, experiment.task.images
        return adapted(
            model,
            mean=own.mean,
            std=own.std,
            size=own.size,
            task_mean=task.mean,
            task_std=task.std,
        )
    except NetstitchError as error:
        raise type(error)(f"network {network.name!r}: {error}") from error


def _read(
    experiment: Experiment, part: str, table: SamplesTable, progress: Progress | None
) -> Samples:
    def report(done: int, total: int) -> None:
        if progress is not None:
            progress(part, done, total)

    images = experiment.task.images
    path = experiment.located(table.source)
    if path.suffix in FILES:
        return from_file(path, name=part, images=images.arrays, limit=table.limit)
    if is_function(table.source):
        returned = call_function(table.source, folder=Path(experiment.folder), error=DataError)
        return _from_function(returned, experiment.task, part, table, report)
    if path.is_file() or not path.exists():
        raise DataError(
            f"{path} {'is of another kind' if path.exists() else 'is not there'}; expected a .npz "
            "or .safetensors file, a folder of images, or 'file.py:function'"
        )
    return from_image_folder(
        path,
        Preprocessing(images.size, images.mean, images.std, images.crop),
        classes=experiment.task.classes,
        limit=table.limit,
        name=part,
        progress=report,
    )


def _from_function(
    returned: Any,
    task: TaskTable,
    part: str,
    table: SamplesTable,
    report: Callable[[int, int], None],
) -> Samples:
    if isinstance(returned, tuple) and len(returned) == 2:
        samples = from_arrays(*returned, name=part, images=task.images.arrays)
        if table.limit is None or table.limit >= len(samples):
            return samples
        kept = evenly(samples.labels.tolist(), table.limit)
        return Samples(samples.inputs[kept], samples.labels[kept], part)
    if (
        isinstance(returned, Sized)
        and hasattr(returned, "__getitem__")
        and not isinstance(returned, dict | str | tuple | Tensor)
    ):
        dataset: Any = returned
        return from_dataset(dataset, limit=table.limit, name=part, progress=report)
    raise DataError(
        f"the function returned a {type(returned).__name__}; expected a torch Dataset with a "
        "length, or the pair (inputs, labels)"
    )


@contextmanager
def _located(part: str, table: SamplesTable) -> Iterator[None]:
    """Say which part of the task, and which source, an error is about."""
    try:
        yield
    except DataError as error:
        text = str(error).removeprefix(f"{part}: ")
        raise DataError(f"{part} samples ({table.source}): {text}") from error

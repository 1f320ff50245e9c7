"""An experiment's models and samples, from where its file says they are."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from netstitch.errors import DataError, NetstitchError
from netstitch.experiments.experiment import Experiment, NetworkTable
from netstitch.experiments.sources import Progress, Told, read_source
from netstitch.experiments.task_table import SamplesTable, TaskTable
from netstitch.experiments.weights_folder import weights_in
from netstitch.networks import adapted
from netstitch.networks.sources import PRETRAINED, load_model
from netstitch.tasks import Classification, Samples, Segmentation, Task, agreement

EXAMPLE_SIZE = 2


def load_models(experiment: Experiment, *, weights: bool = True) -> list[tuple[str, nn.Module]]:
    """The networks' names and models in the file's order, in evaluation mode, with their weights.

    weights: whether those that the file names are read; else models stay as they are built.

    Raises CaptureError or WeightsError, naming the network, as `load_model` does.
    """
    networks = experiment.networks
    if weights and experiment.weights is not None:
        folder = experiment.located(experiment.weights)
        networks = [
            network.model_copy(update={"weights": str(weights_in(folder, network))})
            for network in networks
        ]
    if not weights:
        networks = [network.model_copy(update={"weights": None}) for network in networks]
    return [(network.name, _load_model(experiment, network)) for network in networks]


def load_task(
    experiment: Experiment,
    progress: Progress | None = None,
    models: Sequence[tuple[str, nn.Module]] | None = None,
    told: Told | None = None,
) -> Task:
    """The task with its samples, read and preprocessed once.

    models: what `load_models` gave, which label the samples of a task of kind "agreement"; where
        they are not given, they are loaded for that.

    Raises DataError, naming the part (training, validation or test) and its source, when a source
    is missing, empty, damaged, or of another kind, and when its samples do not fit the task.
    """
    table = experiment.task
    sources = {"validation": table.validation, "training": table.training, "test": table.test}
    samples: dict[str, Samples | None] = dict.fromkeys(sources)
    for part, source in sources.items():
        if source is None:
            continue
        with _located(part, source):
            read = read_source(experiment, part, source, progress, told)
            if table.classes is not None:
                # A task of this part and the first alone: what does not fit is then this part's.
                first = samples["validation"] or read
                _task_of(table)(validation=first, training=read, classes=table.classes)
        samples[part] = read
        if progress is not None:
            progress(part, len(read), len(read))
    if table.kind == "agreement" and models is None:
        models = load_models(experiment)
    return task_of(table, samples, models or ())


def task_of(
    table: TaskTable,
    samples: Mapping[str, Samples | None],
    models: Sequence[tuple[str, nn.Module]],
) -> Task:
    """The task that a table says, on samples by part; models label those of "agreement"."""
    validation = samples["validation"]
    assert validation is not None
    settings: dict[str, Any] = {
        "validation": validation,
        "training": samples["training"],
        "test": samples["test"],
        "output": table.output,
        "ensemble": table.ensemble,
    }
    if table.kind == "agreement":
        return agreement([model for _, model in models], **settings)
    assert table.classes is not None
    return _task_of(table)(classes=table.classes, **settings)


def _task_of(table: TaskTable) -> type[Classification] | type[Segmentation]:
    return Segmentation if table.kind == "segmentation" else Classification


def example_batch(task: Task) -> Tensor:
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


@contextmanager
def _located(part: str, table: SamplesTable) -> Iterator[None]:
    """Say which part of the task, and which source, an error is about."""
    try:
        yield
    except DataError as error:
        text = str(error).removeprefix(f"{part}: ")
        raise DataError(f"{part} samples ({table.source}): {text}") from error

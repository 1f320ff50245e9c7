"""An experiment's networks and their weights, from where its file says they are."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from netstitch.errors import NetstitchError, WeightsError
from netstitch.events import Listener, Message, ignore
from netstitch.experiments.experiment import Experiment, NetworkTable
from netstitch.networks import adapted
from netstitch.networks.checkpoints.file_kinds import ENDING, bare_name, kind_of, shown
from netstitch.networks.probabilities import with_logarithm
from netstitch.networks.sources.model_sources import PRETRAINED, load_model, origin_of


def load_models(
    experiment: Experiment, *, weights: bool = True, listener: Listener = ignore
) -> list[tuple[str, nn.Module]]:
    """Return names and models in the file's order, in evaluation mode, with their weights.

    Args:
        experiment: What names them.
        weights: Whether those that the file names are read; else models stay as they are built.
        listener: Told how weights were found in files that hold more.

    Raises:
        CaptureError: As `load_model` does, naming the network.
        WeightsError: As `load_model` does; before any is built where files are missing.
    """
    if weights:
        networks = find_weights(experiment)
    else:
        bare = {"weights": None, "ema": False}
        networks = [network.model_copy(update=bare) for network in experiment.networks]
    return [(network.name, _load_model(experiment, network, listener)) for network in networks]


def find_weights(experiment: Experiment) -> list[NetworkTable]:
    """Return the networks with the files of their weights; no tensors are read.

    Raises:
        WeightsError: A file is not there, or of a kind that is not read; the network is named.
    """
    networks = experiment.networks
    if experiment.weights is not None:
        folder = experiment.located(experiment.weights)
        networks = [
            network.model_copy(update={"weights": str(weights_in(folder, network))})
            for network in networks
        ]
    for network in networks:
        if network.weights not in (None, PRETRAINED):
            file = experiment.located(str(network.weights))
            with _of_network(network):
                if not os.path.exists(file):
                    origin = origin_of(network.model)
                    raise WeightsError(f"{shown(file)} is not there; expected its weights{origin}")
                kind_of(file)
    return networks


def weights_in(folder: Path, network: NetworkTable) -> Path:
    """Return the file of a network's weights: NAME.ENDING, or else one NAME-... or NAME_....ENDING.

    So files may keep the names that libraries and trainers gave them, such as
    resnet50-11ad3fa6.pth and resnet50_best.pth.tar.

    Raises:
        WeightsError: There is none, or more than one.
    """
    name = network.name
    if not folder.is_dir():
        raise WeightsError(
            f"{shown(folder)} is no folder; expected one with a file for each network"
        )
    try:
        files = sorted(path for path in folder.iterdir() if ENDING.search(path.name))
    except OSError as error:
        raise WeightsError(
            f"{shown(folder)} cannot be read ({error.strerror}); make it readable, or give a copy"
        ) from error
    exact = [path for path in files if bare_name(path.name) == name]
    found = exact or [path for path in files if path.name.startswith((f"{name}-", f"{name}_"))]
    if len(found) == 1:
        return found[0]
    weights = ", ".join(shown(Path(path.name)) for path in found) or "no weights"
    raise WeightsError(
        f"{shown(folder)} holds {weights} of network {name!r} ({network.model}); expected "
        f"{name}.safetensors or {name}.pth, one of them{origin_of(network.model)}"
    )


def _load_model(experiment: Experiment, network: NetworkTable, listener: Listener) -> nn.Module:
    weights: Path | str | None = network.weights
    if weights not in (None, PRETRAINED):
        weights = Path(os.path.expanduser(str(weights)))
    with _of_network(network):
        model = load_model(
            network.model,
            weights,
            folder=Path(experiment.folder),
            ema=network.ema,
            log=lambda text: listener(Message(f"network {network.name!r}: {text}")),
        )
        if network.outputs == "probabilities":
            model = with_logarithm(model, experiment.task.output)
        if network.images is None:
            return model
        task = experiment.task.images
        return adapted(model, **network.images.model_dump(), task_mean=task.mean, task_std=task.std)


@contextmanager
def _of_network(network: NetworkTable) -> Iterator[None]:
    """Say which network an error is about."""
    try:
        yield
    except NetstitchError as error:
        raise type(error)(f"network {network.name!r}: {error}") from error

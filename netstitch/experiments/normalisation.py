"""Networks that were trained on images of another normalisation or size than the task's.

timm and torchvision say what images their weights were trained on. Fed with others, a network works
worse, down to chance, and nothing else shows it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from netstitch.experiments.experiment import Experiment, NetworkTable
from netstitch.experiments.named_data_sets import is_data_set
from netstitch.networks.capturing.exportable import unwrapped
from netstitch.networks.sources.functions import is_function
from netstitch.networks.sources.model_sources import PRETRAINED, function_of, torchvision_weights
from netstitch.tasks import Samples, Task
from netstitch.tasks.datasets.array_files import FILES

TOLERANCE = 5e-3
"""By which means and deviations may differ, and pixels from whole numbers of 255ths, times 255."""
NEARBY = 1.5
"""Factor of sizes that networks are commonly run at other than those of their training."""


@dataclass(frozen=True)
class KnownNormalisation:
    """The images that a network was trained on.

    Attributes:
        mean: Per channel, of values in [0, 1].
        std: Per channel, as mean.
        sizes: Edges in pixels; none where they are not known.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    sizes: tuple[int, ...] = ()


def other_images(
    experiment: Experiment, models: Sequence[tuple[str, nn.Module]], task: Task
) -> Iterator[str]:
    """Yield a line for each network that was trained on other images than the task's.

    Looked at are networks with weights and without a table [networks.images], and tasks whose
    images are decoded, or arrays of bytes.
    """
    given = _of_task(experiment, task.validation)
    if given is None:
        return
    shared = experiment.weights is not None  # a folder of files for all networks
    for network, (_, model) in zip(experiment.networks, models, strict=True):
        if network.images is not None or not _has_weights(experiment, network):
            continue
        known = known_images(network, model)
        if known is not None and len(known.mean) == len(given.mean):
            own = network.weights == PRETRAINED or (network.weights is None and not shared)
            yield from _difference(network.name, known, given, published=own)


def known_images(network: NetworkTable, model: nn.Module) -> KnownNormalisation | None:
    """Return the images that timm or torchvision says a model was trained on; None for others."""
    settings = getattr(unwrapped(model), "pretrained_cfg", None)
    if settings is not None:
        return _of_timm(settings)
    library, _, name = network.model.removeprefix("python:").partition(":")
    if library != "torchvision":
        return None
    _, weights = torchvision_weights(name)
    if weights is None:
        return None
    preset = weights.transforms()
    return _known(vars(preset), vars(preset).get("crop_size"))


def _of_timm(settings: object) -> KnownNormalisation | None:
    """Return the images that timm's `pretrained_cfg` names, a dictionary or a class of its own."""
    values = settings if isinstance(settings, dict) else vars(settings)
    found = [values.get(key) for key in ("input_size", "test_input_size")]
    return _known(values, [size[-1] for size in found if size and size[-1] == size[-2]])


def _known(values: Mapping[str, Any], sizes: Sequence[int] | None) -> KnownNormalisation | None:
    mean, std = values.get("mean"), values.get("std")
    return KnownNormalisation(tuple(mean), tuple(std), tuple(sizes or ())) if mean and std else None


def _has_weights(experiment: Experiment, network: NetworkTable) -> bool:
    """Return whether weights are named, or the model comes from a function, which may load some."""
    named = network.weights is not None or experiment.weights is not None
    return named or function_of(network.model) is not None


def _of_task(experiment: Experiment, samples: Samples) -> KnownNormalisation | None:
    """Return the images of the task; None where it is not known what was done to them."""
    if len(samples.shape) != 3:
        return None
    table, source = experiment.task.images, experiment.task.validation.source
    sizes = samples.shape[1:] if samples.shape[1] == samples.shape[2] else ()
    own = KnownNormalisation(table.mean, table.std, sizes)
    if is_data_set(source) or not (Path(source).suffix.lower() in FILES or is_function(source)):
        return own
    channels = samples.shape[0]
    plain = KnownNormalisation((0.0,) * channels, (1.0,) * channels, sizes)
    tried = (own, plain) if len(own.mean) == channels else (plain,)
    return next((each for each in tried if _are_bytes(samples.inputs[:2], each)), None)


def _are_bytes(inputs: Tensor, given: KnownNormalisation) -> bool:
    """Return whether inputs (n, c, h, w) are bytes that were normalised so."""
    mean, std = (np.array(each)[:, None, None] for each in (given.mean, given.std))
    pixels = (inputs.double().numpy() * std + mean) * 255
    whole = pixels.round()
    near = bool((np.abs(pixels - whole) <= TOLERANCE).all())
    return near and whole.min() >= 0 and whole.max() <= 255 and len(np.unique(whole)) > 2


def _difference(
    name: str, known: KnownNormalisation, given: KnownNormalisation, *, published: bool
) -> Iterator[str]:
    """Yield a line where the images of a network and of the task differ.

    Weights that are not the published ones may have been trained on images of another size, and
    rightly so: only a normalisation is told of, since most keep the model's.
    """
    pairs = [*zip(known.mean, given.mean, strict=True), *zip(known.std, given.std, strict=True)]
    other_values = any(abs(own - task) > TOLERANCE for own, task in pairs)
    other_size = (
        published
        and bool(known.sizes and given.sizes)
        and not any(1 / NEARBY <= given.sizes[0] / size <= NEARBY for size in known.sizes)
    )
    if not (other_values or other_size):
        return
    size = f", size = {known.sizes[0]}" if other_size else ""
    what = [
        f"mean {_listed(each.mean)} and std {_listed(each.std)}"
        + (f" of {each.sizes[0]} pixels" if other_size else "")
        for each in (known, given)
    ]
    settings = "" if published else ", by the settings of its model"
    other = "" if published else "; or with the mean and std that its weights were trained with"
    yield (
        f"network {name!r} was trained on images of {what[0]}{settings}, and the task's "
        f"have {what[1]}, on which it may do badly: write in its [[networks]] table images = "
        f"{{mean = {_listed(known.mean)}, std = {_listed(known.std)}{size}}} ([networks.images])"
        f"{other}"
    )


def _listed(values: Sequence[float]) -> str:
    return f"[{', '.join(f'{float(value):g}' for value in values)}]"

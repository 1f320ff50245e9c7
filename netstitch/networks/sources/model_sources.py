"""Models from a function of the user's, from timm, or from torchvision."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from netstitch.errors import CaptureError, NetstitchError, WeightsError
from netstitch.networks.checkpoints.checkpoint_file import read_checkpoint
from netstitch.networks.checkpoints.weights import Log, load_weights
from netstitch.networks.sources.functions import FORMS, call_function
from netstitch.text import did_you_mean, expected_one_of, one_line
from netstitch.threads import quiet

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

PRETRAINED = "pretrained"


@dataclass(frozen=True)
class ModelSource:
    """A library whose models have names.

    Attributes:
        build: Returns the model of a name. The second argument says whether it has the library's
            own weights; the third is the file of the weights that are loaded next, None without.
        origin: Returns where the library has the weights of a name, an address; None without any.
    """

    build: Callable[[str, bool, Path | None], object]
    origin: Callable[[str], str | None] = lambda name: None


def load_model(
    spec: str,
    weights: Path | str | None = None,
    *,
    folder: Path | None = None,
    ema: bool = False,
    log: Log | None = None,
) -> nn.Module:
    """Build a model in evaluation mode and, where they are given, load its weights.

    Args:
        spec: "path/to/file.py:function" or "package.module:function" (also with "python:" before
            it), called without arguments; or "timm:NAME" or "torchvision:NAME", or
            NAME.TAG for weights other than the library's default.
        weights: A file, see `load_weights`; or "pretrained", those that the library has for the
            name, which it downloads once. None keeps what the function made, and of a library
            random ones.
        folder: Where relative paths start; by default the current folder.
        ema: Of a file, take the exponential moving average that it holds beside the weights.
        log: As of `load_weights`.

    Raises:
        CaptureError: When there is no such model or it cannot be built.
        WeightsError: When the file does not fit it, or the library has no weights or cannot get
            them.
    """
    spec = spec.removeprefix("python:")
    library, _, name = spec.partition(":")
    own = weights == PRETRAINED
    file = None
    if weights is not None and not own:
        file = Path(weights) if folder is None else folder / weights
    if ema and file is None:
        raise WeightsError(
            f"ema = true asks for a moving average of the weights of {spec!r}, for which no file "
            "is given; give weights, the file that holds it, or leave ema out"
        )
    if library in SOURCES:
        model = SOURCES[library].build(name, own, file)
    elif own:
        raise WeightsError(
            f"{spec!r} has no weights that are {PRETRAINED!r}, which models of "
            f"{' and '.join(SOURCES)} have; give a file, or none where the function loads them"
        )
    else:
        model = call_function(spec, folder=folder, error=CaptureError)
    if not isinstance(model, nn.Module):
        raise CaptureError(
            f"{spec!r} returned a {type(model).__name__}; expected a torch.nn.Module from {FORMS}"
        )
    if file is not None:
        load_weights(model, file, ema=ema, log=log)
    return model.eval()


def function_of(spec: str) -> str | None:
    """Return the function that `load_model` would call for a model; None for a library's."""
    spec = spec.removeprefix("python:")
    return None if spec.partition(":")[0] in SOURCES else spec


def origin_of(model: str) -> str:
    """Return the page of a model's weights in a library, as part of a sentence; "" without any."""
    library, _, name = model.removeprefix("python:").partition(":")
    page = SOURCES[library].origin(name) if library in SOURCES else None
    return f", from {page}" if page else ""


def _from_timm(name: str, pretrained: bool, file: Path | None) -> object:
    try:
        timm = importlib.import_module("timm")
    except ModuleNotFoundError:
        raise CaptureError(
            f"'timm:{name}' needs timm, which is not installed: pip install 'netstitch[timm]'"
        ) from None
    # Checked first, since other forms of a name make timm look on the network.
    if not timm.is_model(name):
        raise _unknown("timm", name, timm.list_models())
    if pretrained and not timm.is_model_pretrained(name):
        raise _no_weights("timm", name)
    return _made("timm", name, pretrained, lambda: timm.create_model(name, pretrained=pretrained))


def _from_torchvision(name: str, pretrained: bool, file: Path | None) -> object:
    from torchvision import models

    model, weights = torchvision_weights(name)
    if pretrained and weights is None:
        raise _no_weights("torchvision", model)
    parameters = inspect.signature(models.get_model_builder(model)).parameters
    settings: dict[str, object] = {"weights": weights if pretrained else None}
    # Segmentation models download their backbone's weights unless told not to; the whole model's
    # hold these too.
    if "weights_backbone" in parameters:
        settings["weights_backbone"] = None
    # They have a head for training only where they are built with weights or told.
    if "aux_loss" in parameters and file is not None and file.is_file():
        paths = (stored.path for stored in read_checkpoint(file).tensors)
        settings["aux_loss"] = any("aux_classifier" in path.split(".") for path in paths)
    return _made("torchvision", name, pretrained, lambda: models.get_model(model, **settings))


def torchvision_weights(name: str) -> tuple[str, "WeightsEnum | None"]:
    """Return a model of torchvision and its weights, for NAME or NAME.TAG.

    Without a tag they are its default; None where it has none.

    Raises:
        CaptureError: There is no such model.
        WeightsError: It has no weights of the tag.
    """
    from torchvision import models

    model, _, tag = name.partition(".")
    known = models.list_models()
    if model not in known:
        raise _unknown("torchvision", model, known)
    weights = models.get_model_weights(model).__members__
    if tag and tag not in weights:
        raise WeightsError(
            f"torchvision has no weights {tag!r} for {model!r}; {expected_one_of(tag, weights)}"
        )
    return model, weights.get(tag or "DEFAULT")


def _made(library: str, name: str, pretrained: bool, build: Callable[[], object]) -> object:
    """Build a library's model, with weights that it downloads or has downloaded before."""
    try:
        # What a library says of each try, the error says once.
        with quiet() if pretrained else nullcontext():
            return build()
    except Exception as error:  # whichever, of the network, the disk, or the file
        reason = one_line(error, kind=True)
        if not pretrained:
            raise CaptureError(
                f"'{library}:{name}' cannot be built ({reason}); expected a model that needs no "
                "settings, write a function that builds it"
            ) from error
        raise WeightsError(
            f"the weights of '{library}:{name}' cannot be had ({reason}); connect to the network "
            f"once, or give a file of them{origin_of(f'{library}:{name}')}, in the experiment, or "
            "in a folder that --weights names"
        ) from error


def _no_weights(library: str, name: str) -> WeightsError:
    return WeightsError(
        f"{library} has no weights for {name!r}; give a file, or another name of the architecture"
    )


def _unknown(library: str, name: str, known: list[str]) -> CaptureError:
    return CaptureError(
        f"{library} has no model {name!r}: {did_you_mean(name, known)}expected one of its "
        f"{len(known)} names, such as 'resnet50'"
    )


def _timm_page(name: str) -> str | None:
    import timm

    page = getattr(timm.get_pretrained_cfg(name, allow_unregistered=True), "hf_hub_id", None)
    return f"https://huggingface.co/{page}" if page else None


def _torchvision_page(name: str) -> str | None:
    try:
        _, weights = torchvision_weights(name)
    except NetstitchError:
        return None
    return None if weights is None else str(weights.url)


SOURCES: Mapping[str, ModelSource] = {
    "timm": ModelSource(_from_timm, _timm_page),
    "torchvision": ModelSource(_from_torchvision, _torchvision_page),
}
"""The libraries, by what stands before the colon: "timm:NAME"."""

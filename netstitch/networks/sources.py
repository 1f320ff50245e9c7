"""Where models come from: a function of the user's, timm, or torchvision."""

import importlib
import inspect
from pathlib import Path
from typing import Any

from torch import nn

from netstitch.errors import CaptureError
from netstitch.networks.functions import FORMS, call_function, nearest, one_line
from netstitch.networks.weights import load_weights

LIBRARIES = ("timm", "torchvision")


def load_model(spec: str, weights: Path | None = None, *, folder: Path | None = None) -> nn.Module:
    """Build a model in evaluation mode and, where a file is given, load its weights.

    spec: "path/to/file.py:function" or "package.module:function", called without arguments; or
        "timm:NAME" or "torchvision:NAME", built without the library's own weights, so that nothing
        is downloaded.
    weights: see `netstitch.networks.weights.load_weights`; None keeps what the function made.
    folder: where relative paths start; by default the current folder.

    Raises CaptureError when there is no such model or it cannot be built, WeightsError when the
    file does not fit it.
    """
    library, _, name = spec.partition(":")
    if library in LIBRARIES:
        model = _from_timm(name) if library == "timm" else _from_torchvision(name)
    else:
        model = call_function(spec, folder=folder, error=CaptureError)
    if not isinstance(model, nn.Module):
        raise CaptureError(
            f"{spec!r} returned a {type(model).__name__}; expected a torch.nn.Module from {FORMS}"
        )
    if weights is not None:
        load_weights(model, weights if folder is None else folder / weights)
    return model.eval()


def _from_timm(name: str) -> Any:
    try:
        timm = importlib.import_module("timm")
    except ModuleNotFoundError:
        raise CaptureError(
            f"'timm:{name}' needs timm, which is not installed: pip install 'netstitch[timm]'"
        ) from None
    # Checked first, since other forms of a name make timm look on the network.
    if not timm.is_model(name):
        raise _unknown("timm", name, timm.list_models())
    return _built("timm", name, lambda: timm.create_model(name, pretrained=False))


def _from_torchvision(name: str) -> Any:
    from torchvision import models

    known = models.list_models()
    if name not in known:
        raise _unknown("torchvision", name, known)
    # A segmentation model downloads its backbone's weights unless told not to.
    parameters = inspect.signature(models.get_model_builder(name)).parameters
    settings: dict[str, Any] = {"weights": None}
    if "weights_backbone" in parameters:
        settings["weights_backbone"] = None
    return _built("torchvision", name, lambda: models.get_model(name, **settings))


def _built(library: str, name: str, build: Any) -> Any:
    try:
        return build()
    except Exception as error:
        raise CaptureError(
            f"'{library}:{name}' cannot be built ({one_line(error)}); expected a model that needs "
            "no settings, write a function that builds it"
        ) from error


def _unknown(library: str, name: str, known: list[str]) -> CaptureError:
    return CaptureError(
        f"{library} has no model {name!r}: {nearest(name, known)}expected one of its "
        f"{len(known)} names, such as 'resnet50'"
    )

"""A model's weights from a file, read without ever running what the file holds."""

import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from netstitch.errors import WeightsError

STATE_DICTS = (".pt", ".pth", ".bin")
ADVICE = "save the model's state_dict() with safetensors.torch.save_file"
SHOWN = 3


def load_weights(model: nn.Module, path: Path) -> None:
    """Give a model the tensors of a file, all of them or none.

    path: .safetensors; or a state dict that torch.save wrote (.pt, .pth, .bin), which is read by
    torch's restricted reader: it makes tensors, numbers and containers, and nothing else.

    Raises WeightsError when the file is missing, of another kind, or a pickle of anything more
    (which is not run); when tensors are missing, surplus, of other shapes, or NaN; and when a
    parameter is infinite.
    """
    stored = read_state(path)
    own = {key: value for key, value in model.state_dict().items() if isinstance(value, Tensor)}
    _check_keys(path, model, own, stored)
    _check_shapes(path, own, stored)
    _check_finite(path, {name for name, _ in model.named_parameters()}, stored)
    model.load_state_dict(stored, strict=False)


def read_state(path: Path) -> dict[str, Tensor]:
    """Tensors by name, on the CPU; raises WeightsError as `load_weights` does for the file."""
    if not path.is_file():
        raise WeightsError(f"weights file {path} is not there; check the path")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except (safetensors.SafetensorError, OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:160]
            raise WeightsError(
                f"{path} is no readable safetensors file ({reason}); {ADVICE}"
            ) from error
    if path.suffix in STATE_DICTS:
        return _tensors(path, _read_restricted(path))
    raise WeightsError(
        f"{path} is of a kind that is not read; expected .safetensors, or a state dict in "
        f"{', '.join(STATE_DICTS)}: {ADVICE}"
    )


def _read_restricted(path: Path) -> Any:
    try:
        with warnings.catch_warnings():  # about what it refuses in the next moment
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f" ({named.group(1)})" if named else ""
        raise WeightsError(
            f"{path} is a pickle of more than tensors{what}, which could run code and was not "
            f"run; {ADVICE}"
        ) from error
    except Exception as error:  # damage shows as EOFError, RuntimeError, KeyError and more
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise WeightsError(f"{path} is no readable state dict ({reason}); {ADVICE}") from error


def _tensors(path: Path, content: Any) -> dict[str, Tensor]:
    if not isinstance(content, dict):
        raise WeightsError(
            f"{path} holds a {type(content).__name__}; expected tensors by name, {ADVICE}"
        )
    others = [str(key) for key, value in content.items() if not isinstance(value, Tensor)]
    if others:
        raise WeightsError(
            f"{path} holds more than tensors by name: {_some(others)}; {ADVICE}, a checkpoint's "
            "own state dict alone"
        )
    return {str(key): value for key, value in content.items()}


def _check_keys(
    path: Path, model: nn.Module, own: dict[str, Tensor], stored: dict[str, Tensor]
) -> None:
    surplus = [key for key in stored if key not in own]
    places = {_place(own[key]) for key in stored if key in own}
    missing = [
        key
        for key, tensor in own.items()
        if key not in stored
        # One of two names of a shared tensor is enough, and files of older versions of PyTorch
        # lack the counter, which evaluation does not use.
        and _place(tensor) not in places
        and not key.endswith("num_batches_tracked")
    ]
    found = [f"{len(missing)} tensors are missing: {_some(missing)}"] if missing else []
    found += [f"{len(surplus)} are surplus: {_some(surplus)}"] if surplus else []
    if found:
        raise WeightsError(
            f"{path} does not fit {type(model).__name__}: {'; '.join(found)}; expected the "
            f"{len(own)} tensors of this model, give its own weights"
        )


def _place(tensor: Tensor) -> tuple[Any, ...]:
    """Equal for two names of one tensor; a tensor without memory is its own place."""
    pointer = tensor.data_ptr() or id(tensor)
    return pointer, tuple(tensor.shape), tuple(tensor.stride())


def _check_shapes(path: Path, own: dict[str, Tensor], stored: dict[str, Tensor]) -> None:
    other = [
        f"{key} is {tuple(tensor.shape)} and should be {tuple(own[key].shape)}"
        for key, tensor in stored.items()
        if tensor.shape != own[key].shape
    ]
    if other:
        raise WeightsError(
            f"{path}: {len(other)} tensors have another shape than the model's: {_some(other)}; "
            "give weights of this architecture and number of classes"
        )


def _check_finite(path: Path, parameters: set[str], stored: dict[str, Tensor]) -> None:
    # A buffer may hold infinity on purpose, as the masks of attention do.
    bad = [
        key
        for key, tensor in stored.items()
        if tensor.isnan().any() or (key in parameters and tensor.isinf().any())
    ]
    if bad:
        raise WeightsError(
            f"{path}: NaN or infinity in {len(bad)} tensors: {_some(bad)}; expected finite "
            "weights, take those of an earlier epoch"
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more

"""Checks and conversions of stored tensors that take the place of a model's own."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from netstitch.errors import WeightsError
from netstitch.networks.checkpoints.file_kinds import shown, some

PLAIN_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
COUNTER = "num_batches_tracked"

Tensors = Mapping[str, Tensor]
"""Tensors by the model's own names: the model's, or those of a file."""


def check_kinds(path: Path, own: Tensors, stored: Tensors) -> None:
    """Raise WeightsError where stored tensors are none that a model computes with."""
    _refuse(
        path,
        (name for name, tensor in own.items() if tensor.is_meta),
        "of the model are on the device meta, without values",
        "expected a model that is built on the CPU",
    )
    found = (_unfit(name, tensor, own[name]) for name, tensor in stored.items())
    _refuse(
        path,
        (words for words in found if words is not None),
        "are of another kind than the model's",
        "expected floats of 16, 32 or 64 bits, give the weights before they were converted",
    )


def check_shapes(path: Path, own: Tensors, stored: Tensors) -> None:
    """Raise WeightsError where shapes differ; it says if only the number of classes does."""
    other = {
        key: (tuple(tensor.shape), tuple(own[key].shape))
        for key, tensor in stored.items()
        if tensor.shape != own[key].shape
    }
    advice = "give weights of this architecture and number of classes"
    # Of a classifier only the first size differs, and there is no more than its weight and bias.
    sizes = {(its[:1], ours[:1]) for its, ours in other.values()}
    if len(sizes) == 1 and all(its[1:] == ours[1:] for its, ours in other.values()):
        [(its, ours)] = sizes
        if its and ours:
            advice = (
                "this is the classifier of another number of classes; give weights that were "
                f"trained for {ours[0]} classes, or build the model for {its[0]}, such as by a "
                f"function that returns timm.create_model(NAME, num_classes={its[0]})"
            )
    words = [f"{key} is {its} and should be {ours}" for key, (its, ours) in other.items()]
    _refuse(path, words, "have another shape than the model's", advice)


def check_values(
    path: Path, model: nn.Module, own: Tensors, stored: Tensors, ready: Tensors
) -> None:
    """Raise WeightsError for NaN, infinite parameters, and values that the model cannot hold.

    `ready` are the stored tensors as `converted` returns them.
    """
    parameters = {name for name, _ in model.named_parameters()}
    _refuse(
        path,
        (
            key
            for key, tensor in ready.items()
            # A buffer may hold infinity on purpose, as the masks of attention do.
            if tensor.isnan().any() or (key in parameters and tensor.isinf().any())
        ),
        "hold NaN or infinity",
        "expected finite weights, take those of an earlier epoch",
    )
    _refuse(
        path,
        (
            f"{key} as {tensor.dtype}"
            for key, tensor in ready.items()
            if _changed(key, stored[key], tensor)
        ),
        "have other values in the model's dtype",
        "expected values that it can hold",
    )
    first: dict[tuple[object, ...], str] = {}
    for key, tensor in ready.items():
        same = first.setdefault(place_of(own[key]), key)
        if not torch.equal(ready[same], tensor):
            raise WeightsError(
                f"{shown(path)}: {same} and {key} are one tensor in {type(model).__name__} and "
                "two in the file; build the model without sharing it, or give weights that share it"
            )


def _refuse(path: Path, tensors: Iterable[str], fault: str, advice: str) -> None:
    """Raise WeightsError where there are any tensors with a fault."""
    named = list(tensors)
    if named:
        raise WeightsError(f"{shown(path)}: {len(named)} tensors {fault}: {some(named)}; {advice}")


def converted(stored: Tensor, own: Tensor) -> Tensor:
    """Return a stored tensor dense and with the dtype of the model's own."""
    return _dense(stored.detach()).to(own.dtype)


def conversions(own: Tensors, stored: Tensors) -> list[str]:
    """Return in words what became of tensors with another dtype or layout than the model's."""
    other = {
        (_short(tensor), _short(own[name]))
        for name, tensor in stored.items()
        if own[name].is_floating_point() and tensor.dtype != own[name].dtype
    }
    words = [f"{before} became {after}" for before, after in sorted(other)]
    sparse = sum(tensor.layout != torch.strided for tensor in stored.values())
    return [*words, f"{sparse} sparse tensors became dense"] if sparse else words


def missing_of(own: Tensors, given: Iterable[str]) -> list[str]:
    """Return the model's keys that the file lacks."""
    names = set(given)
    places = {place_of(own[key]) for key in names}
    return [
        key
        for key, tensor in own.items()
        if key not in names
        # One of two names of a shared tensor is enough, and files of older versions of PyTorch
        # lack the counter, which evaluation does not use.
        and place_of(tensor) not in places
        and not key.endswith(COUNTER)
    ]


def place_of(tensor: Tensor) -> tuple[object, ...]:
    """Return a key that is equal for tensors in the same memory; without memory, its own."""
    pointer = (0 if tensor.is_meta else tensor.data_ptr()) or id(tensor)
    return pointer, tuple(tensor.shape), tuple(tensor.stride())


def _unfit(name: str, stored: Tensor, own: Tensor) -> str | None:
    """Return the reason why a tensor cannot take the place of a model's; None where it can."""
    kind = _short(stored)
    if type(stored) not in (Tensor, nn.Parameter):
        return f"{name} is a {type(stored).__name__}"
    if stored.is_nested:
        return f"{name} is a nested tensor"
    if stored.is_quantized:
        return f"{name} is quantised ({kind})"
    if stored.is_meta:
        return f"{name} is on the device meta, without values"
    if own.is_floating_point() and stored.dtype not in PLAIN_FLOATS:
        return f"{name} is {kind} in the place of {_short(own)}"
    return None


def _changed(name: str, stored: Tensor, taken: Tensor) -> bool:
    """Return whether conversion to integers, booleans or complex numbers changed values."""
    # The counter of batch norm may be rounded, as averages of weights have it: evaluation does not
    # use it.
    if taken.is_floating_point() or name.endswith(COUNTER) or stored.dtype == taken.dtype:
        return False
    dense = _dense(stored)
    return not torch.equal(taken.to(dense.dtype), dense)


def _dense(tensor: Tensor) -> Tensor:
    return tensor if tensor.layout == torch.strided else tensor.to_dense()


def _short(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")

"""Checks and conversions of stored tensors that take the place of a model's own."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from netstitch.errors import WeightsError
from netstitch.networks.checkpoints.file_kinds import shown, some

PLAIN_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
COUNTER = "num_batches_tracked"


def check_kinds(path: Path, own: Mapping[str, Tensor], stored: Mapping[str, Tensor]) -> None:
    """Raise WeightsError where stored tensors are none that a model computes with, by name."""
    empty = [name for name, tensor in own.items() if tensor.is_meta]
    if empty:
        raise WeightsError(
            f"the model for {shown(path)} has {len(empty)} tensors on the device meta, without "
            f"values: {some(empty)}; expected a model that is built on the CPU"
        )
    found = (_unfit(name, tensor, own[name]) for name, tensor in stored.items())
    other = [words for words in found if words is not None]
    if other:
        raise WeightsError(
            f"{shown(path)}: {len(other)} tensors are of another kind than the model's: "
            f"{some(other)}; expected floats of 16, 32 or 64 bits, give the weights before they "
            "were converted"
        )


def check_shapes(path: Path, own: dict[str, Tensor], stored: dict[str, Tensor]) -> None:
    """Raise WeightsError where shapes differ; it says if only the number of classes does."""
    other = {
        key: (tuple(tensor.shape), tuple(own[key].shape))
        for key, tensor in stored.items()
        if tensor.shape != own[key].shape
    }
    if not other:
        return
    words = some([f"{key} is {its} and should be {ours}" for key, (its, ours) in other.items()])
    # Of a classifier only the first size differs, and there is no more than its weight and bias.
    sizes = {(its[:1], ours[:1]) for its, ours in other.values()}
    rest_is_same = all(its[1:] == ours[1:] for its, ours in other.values())
    if rest_is_same and len(sizes) == 1 and () not in (pair := next(iter(sizes))):
        its, ours = pair[0][0], pair[1][0]
        words += (
            f": the classifier of another number of classes; give weights that were trained for "
            f"{ours} classes, or build the model for {its}, such as by a function that returns "
            f"timm.create_model(NAME, num_classes={its})"
        )
    else:
        words += "; give weights of this architecture and number of classes"
    raise WeightsError(
        f"{shown(path)}: {len(other)} tensors have another shape than the model's: {words}"
    )


def check_values(
    path: Path,
    model: nn.Module,
    own: dict[str, Tensor],
    stored: dict[str, Tensor],
    ready: dict[str, Tensor],
) -> None:
    """Raise WeightsError for NaN, infinite parameters, and values that the model cannot hold.

    `ready` are the stored tensors as `converted` returns them.
    """
    parameters = {name for name, _ in model.named_parameters()}
    # A buffer may hold infinity on purpose, as the masks of attention do.
    bad = [
        key
        for key, tensor in ready.items()
        if tensor.isnan().any() or (key in parameters and tensor.isinf().any())
    ]
    if bad:
        raise WeightsError(
            f"{shown(path)}: NaN or infinity in {len(bad)} tensors: {some(bad)}; expected finite "
            "weights, take those of an earlier epoch"
        )
    lossy = [key for key, tensor in ready.items() if _changed(key, stored[key], tensor)]
    if lossy:
        raise WeightsError(
            f"{shown(path)}: {len(lossy)} tensors have other values as {own[lossy[0]].dtype}: "
            f"{some(lossy)}; expected values of the model's dtype"
        )
    first: dict[tuple[object, ...], str] = {}
    for key, tensor in ready.items():
        same = first.setdefault(place_of(own[key]), key)
        if not torch.equal(ready[same], tensor):
            raise WeightsError(
                f"{shown(path)}: {same} and {key} are one tensor in {type(model).__name__} and "
                "two in the file; build the model without sharing it, or give weights that share it"
            )


def converted(stored: Tensor, own: Tensor) -> Tensor:
    """Return a stored tensor dense and with the dtype of the model's own."""
    dense = stored.detach()
    if dense.layout != torch.strided:
        dense = dense.to_dense()
    return dense.to(own.dtype)


def conversions(stored: dict[str, Tensor], own: dict[str, Tensor]) -> list[str]:
    """Return in words what became of tensors with another dtype or layout than the model's."""
    other = {
        (_short(tensor), _short(own[name]))
        for name, tensor in stored.items()
        if own[name].is_floating_point() and tensor.dtype != own[name].dtype
    }
    words = [f"{before} became {after}" for before, after in sorted(other)]
    sparse = sum(tensor.layout != torch.strided for tensor in stored.values())
    if sparse:
        words.append(f"{sparse} sparse tensors became dense")
    return words


def missing_of(own: Mapping[str, Tensor], given: set[str]) -> list[str]:
    """Return the tensors of a model that a file lacks which has only some of their names."""
    places = {place_of(own[key]) for key in given}
    return [
        key
        for key, tensor in own.items()
        if key not in given
        # One of two names of a shared tensor is enough, and files of older versions of PyTorch
        # lack the counter, which evaluation does not use.
        and place_of(tensor) not in places
        and not key.endswith(COUNTER)
    ]


def place_of(tensor: Tensor) -> tuple[object, ...]:
    """Return what is equal for two names of one tensor; one without memory is its own place."""
    pointer = (0 if tensor.is_meta else tensor.data_ptr()) or id(tensor)
    return pointer, tuple(tensor.shape), tuple(tensor.stride())


def _unfit(name: str, stored: Tensor, own: Tensor) -> str | None:
    """Return what a tensor is where it cannot take the place of a model's, else None."""
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
        what = "complex" if stored.is_complex() else "8-bit or smaller floats"
        if not stored.is_complex() and not stored.is_floating_point():
            what = "booleans" if stored.dtype == torch.bool else "integers"
        return f"{name} is {what} ({kind}) in the place of {_short(own)}"
    return None


def _changed(name: str, stored: Tensor, taken: Tensor) -> bool:
    """Return whether conversion to integers, booleans or complex numbers changed values.

    The counter of batch norm may be rounded, as averages of weights have it: evaluation does not
    use it.
    """
    if taken.is_floating_point() or name.endswith(COUNTER) or stored.dtype == taken.dtype:
        return False
    dense = stored if stored.layout == torch.strided else stored.to_dense()
    return not torch.equal(taken.to(dense.dtype), dense)


def _short(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")

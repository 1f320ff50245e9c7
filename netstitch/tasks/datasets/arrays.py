"""Samples from arrays."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netstitch.errors import DataError
from netstitch.tasks.datasets.given import described, dtype_name
from netstitch.tasks.samples import Samples
from netstitch.text import one_line

ImageLayout = Literal["nhw", "nhwc", "nchw"]
"""The dimensions of an array of images: n samples, h rows, w columns, c channels."""

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

Array = NDArray[Any] | Tensor
Normalisation = tuple[Sequence[float], Sequence[float]]
"""Mean and standard deviation of each channel, of values in [0, 1]."""


def from_arrays(
    inputs: Array,
    labels: Array,
    *,
    name: str = "validation",
    images: ImageLayout | None = None,
    normalisation: Normalisation | None = None,
) -> Samples:
    """Return samples from arrays or tensors.

    Args:
        inputs: (n, ...) floating point, taken as they are; or images, where `images` names their
            layout: they become (n, c, h, w), bytes are divided by 255, floats keep their values.
        labels: (n,) or (n, 1) integers of any width.
        name: The samples' name in messages.
        images: The layout of images.
        normalisation: Mean and standard deviation of each channel, of values in [0, 1], for
            bytes; by default they are not normalised.

    Raises:
        DataError: For anything else, for a normalisation of floats, and as `Samples` does.
    """
    classes = _integers(labels, name, "labels")
    values = _inputs(inputs, name, images, normalisation)
    return Samples(values, classes.detach().to("cpu", torch.int64).contiguous(), name)


def from_maps(
    inputs: Array,
    maps: Array,
    *,
    name: str = "validation",
    images: ImageLayout | None = None,
    normalisation: Normalisation | None = None,
) -> Samples:
    """Return samples with a class for each pixel; arguments and errors are those of `from_arrays`.

    `maps` are (n, height, width) or (n, 1, height, width) integers of any width from 0 to 255, of
    which 255 is of no class.
    """
    classes = _integers(maps, name, "label maps")
    if classes.ndim == 4 and classes.shape[1] == 1:
        classes = classes[:, 0]
    if classes.ndim != 3:
        raise DataError(
            f"{name}: label maps have shape {tuple(classes.shape)}; expected (n, height, width)"
        )
    if classes.numel() and not 0 <= int(classes.min()) <= int(classes.max()) <= 255:
        raise DataError(
            f"{name}: label maps hold classes from {int(classes.min())} to {int(classes.max())}; "
            "expected 0 to 255"
        )
    values = _inputs(inputs, name, images, normalisation)
    return Samples(values, classes.detach().to("cpu", torch.uint8), name)


def unlabelled(inputs: Tensor, name: str = "validation") -> Samples:
    """Return samples of which only the inputs (n, ...) are known; raises as `Samples` does."""
    if not isinstance(inputs, Tensor) or inputs.ndim == 0:
        raise DataError(f"{name}: inputs are {described(inputs)}; expected a tensor, (n, ...)")
    return Samples(inputs, torch.zeros(len(inputs), dtype=torch.int64), name)


def _inputs(
    inputs: Array, name: str, images: ImageLayout | None, normalisation: Normalisation | None
) -> Tensor:
    """Return float32 inputs; images as (n, c, h, w), bytes divided by 255 and normalised."""
    values = _tensor(inputs, name, "inputs")
    kind, of_bytes = dtype_name(values.dtype), values.dtype == torch.uint8
    if normalisation is not None and values.is_floating_point():
        raise DataError(
            f"{name}: inputs are {kind}, which are taken as they are, and a mean and std are given;"
            " leave these out, or give bytes (uint8), which they are applied to"
        )
    if values.dtype not in FLOATS and (images is None or not of_bytes):
        raise DataError(
            f"{name}: inputs are {kind}; expected float32 or another float, or images of bytes "
            "(uint8) with their layout named, such as images='nhwc'"
        )
    if images is not None:
        values = _channels_first(values, name, images)
        if of_bytes:
            values = values.to(torch.float32) / 255
        if normalisation is not None:
            values = _normalised(values, name, normalisation)
    return values.detach().to("cpu", torch.float32).contiguous()


def _channels_first(values: Tensor, name: str, images: ImageLayout) -> Tensor:
    if images not in get_args(ImageLayout):
        raise DataError(f"image layout {images!r} is not known; give 'nhw', 'nhwc' or 'nchw'")
    if values.ndim != len(images):
        raise DataError(
            f"{name}: inputs have shape {tuple(values.shape)}, but images={images!r} means "
            f"{len(images)} dimensions; name the layout that they have"
        )
    if images == "nhw":
        return values[:, None]
    return values.permute(0, 3, 1, 2) if images == "nhwc" else values


def _normalised(values: Tensor, name: str, normalisation: Normalisation) -> Tensor:
    """Normalise (n, c, h, w) in place, by the very operations that image files go through."""
    try:
        mean, std = (torch.tensor(list(each), dtype=torch.float32) for each in normalisation)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{name}: the normalisation is {normalisation!r:.60}; expected the pair (mean, std), "
            "one number for each channel"
        ) from error
    if not len(mean) == len(std) == values.shape[1] or not (std > 0).all():
        raise DataError(
            f"{name}: images have {values.shape[1]} channels, mean has {len(mean)} values and std "
            f"{len(std)}; expected one for each channel, std above 0"
        )
    return values.sub_(mean[:, None, None]).div_(std[:, None, None])


def _tensor(array: Array, name: str, part: str) -> Tensor:
    if isinstance(array, Tensor):
        if array.is_meta or array.is_nested or array.is_quantized or array.layout != torch.strided:
            raise DataError(
                f"{name}: {part} are a tensor that is sparse, nested, quantised or without values; "
                "expected a dense one"
            )
        return array
    try:
        values = np.asarray(array)
    except (TypeError, ValueError) as error:  # such as lists of different lengths
        raise DataError(
            f"{name}: {part} are {described(array)} that is no array ({one_line(error)}); expected "
            "an array of numbers"
        ) from error
    if values.dtype.kind not in "biuf":
        raise DataError(f"{name}: {part} are {values.dtype}; expected an array of numbers")
    if values.dtype.kind == "f" and values.dtype.itemsize > 8:
        values = values.astype(np.float64)
    # A copy where torch could not share the memory: other byte orders, negative strides, read-only.
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    return torch.from_numpy(np.require(native, requirements=["C", "W"]))


def _integers(array: Array, name: str, part: str) -> Tensor:
    found = _tensor(array, name, part)
    if found.is_floating_point() or found.is_complex() or found.dtype == torch.bool:
        raise DataError(
            f"{name}: {part} are {dtype_name(found.dtype)}; expected integers, the numbers of the "
            "classes: convert whole ones, labels.astype(int)"
        )
    return found

"""Networks that were trained on images prepared in different ways, on the images of one task.

Preparation becomes the first part of the network itself, and is captured and exported with it.
"""

from collections.abc import Collection, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from netstitch.errors import CaptureError
from netstitch.networks.capturing.exportable import copied, unwrapped
from netstitch.networks.graph import INPUT, WEIGHT, Node

SCALE, SHIFT = "adapter_scale", "adapter_shift"
BUFFERS = (SCALE, SHIFT)


def adapted(
    model: nn.Module,
    *,
    mean: Sequence[float],
    std: Sequence[float],
    task_mean: Sequence[float] = (0.0, 0.0, 0.0),
    task_std: Sequence[float] = (1.0, 1.0, 1.0),
    size: int | None = None,
) -> nn.Module:
    """Return a copy of a model that takes a task's images instead of its own.

    Args:
        model: any model that `capture` takes.
        mean: per channel, of values in [0, 1], that the model's images are normalised with.
        std: likewise.
        task_mean: the mean of the task's images; by default these are not normalised.
        task_std: likewise.
        size: edge of the square images that the model was trained on, to which the task's are
            resized (bilinear, antialiased where they shrink). By default they keep their size.
    """
    lengths = {len(each) for each in (mean, std, task_mean, task_std)}
    if len(lengths) != 1 or min(*std, *task_std) <= 0 or (size is not None and size < 1):
        raise CaptureError(
            f"images of mean {tuple(mean)} and std {tuple(std)} cannot be made of mean "
            f"{tuple(task_mean)} and std {tuple(task_std)} at size {size}: give one number for "
            "each channel everywhere, std over 0, and a size of 1 or more"
        )
    taken = {name for name, _ in [*model.named_parameters(), *model.named_buffers()]}
    if taken & set(BUFFERS):
        raise CaptureError(f"{type(model).__name__} is adapted already: give it as it was trained")
    own, theirs, deviations = (
        torch.tensor(each, dtype=torch.float64).view(-1, 1, 1) for each in (mean, task_mean, std)
    )
    scale = torch.tensor(task_std, dtype=torch.float64).view(-1, 1, 1) / deviations
    # Within a wrapper: what hangs on the wrapper itself is lost where capture takes it off.
    made = copied(unwrapped(model))
    made.register_buffer(SCALE, scale.float())
    made.register_buffer(SHIFT, ((theirs - own) / deviations).float())
    made.register_forward_pre_hook(partial(_adapt, size))
    return made


def _adapt(size: int | None, model: nn.Module, args: tuple[object, ...]) -> tuple[Tensor]:
    """Prepare images before the model's forward."""
    [images] = args
    values = images * getattr(model, SCALE) + getattr(model, SHIFT)
    if size is not None and tuple(values.shape[2:]) != (size, size):
        smaller = size < max(values.shape[2:])
        values = functional.interpolate(
            values, (size, size), mode="bilinear", align_corners=False, antialias=smaller
        )
    return (values,)


def adapter_nodes(nodes: Sequence[Node]) -> Collection[str]:
    """Return the names of an adapter's nodes: they depend on its numbers, and on nothing learned.

    They are images in a network's own form, and no features to be stitched.
    """
    found: set[str] = set()
    read: dict[str, set[str]] = {}  # paths of the weights that a node depends on
    for node in nodes:
        own = {node.path} if node.operation == WEIGHT else set()
        below = read[node.name] = own.union(*(read.get(name, ()) for name in node.inputs))
        if below and below <= set(BUFFERS) and node.operation not in (INPUT, WEIGHT):
            found.add(node.name)
    return found

"""Samples from a `torch.utils.data.Dataset`: every item decoded once."""

from collections.abc import Sized
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from netstitch.errors import DataError
from netstitch.events import Advanced, Listener, ignore
from netstitch.tasks.datasets.given import check_limit, check_workers, described, dtype_name
from netstitch.tasks.samples import Samples
from netstitch.text import one_line

ITEMS_TOGETHER = 16


def from_dataset(
    dataset: Dataset[Any],
    *,
    limit: int | None = None,
    workers: int = 0,
    name: str = "validation",
    listener: Listener = ignore,
) -> Samples:
    """Return samples from a map-style dataset of (float tensor, class number) items.

    Args:
        dataset: Of any library, with __len__ and __getitem__.
        limit: Take the first that many, as the paper's section 6 does; which labels follow is not
            known before decoding, so give a `torch.utils.data.Subset` for another choice.
        workers: Processes that decode.
        name: The samples' name in messages.
        listener: Told how many are decoded, as `Advanced`.

    Raises:
        DataError: When an item (which is named) cannot be read, is no such pair, or has another
            shape than the first; and as `Samples` does.
    """
    check_limit(limit)
    check_workers(workers)
    if not isinstance(dataset, Sized) or not hasattr(dataset, "__getitem__"):
        lacking = "items" if isinstance(dataset, Sized) else "length"
        raise DataError(
            f"{name}: {described(dataset)} has no {lacking}; expected a map-style dataset with "
            "__len__ and __getitem__, such as that of a loader"
        )
    total = len(dataset) if limit is None else min(limit, len(dataset))
    if not total:
        raise DataError(f"{name}: the data set is empty; expected at least one sample")
    loader = DataLoader(
        _Guarded(dataset, total), batch_size=ITEMS_TOGETHER, num_workers=workers, collate_fn=list
    )
    inputs, labels, done = torch.empty(0), torch.empty(total, dtype=torch.int64), 0
    for items in loader:
        for item in items:
            value, label = _pair(item, f"{name}: item {done}")
            if done == 0:
                inputs = torch.empty((total, *value.shape))
            if value.shape != inputs.shape[1:]:
                raise DataError(
                    f"{name}: item {done} has shape {tuple(value.shape)} but item 0 has "
                    f"{tuple(inputs.shape[1:])}; expected equal shapes, resize or crop in the "
                    "transform"
                )
            inputs[done], labels[done] = value, label
            done += 1
        listener(Advanced(done, total, name))
    return Samples(inputs, labels, name)


def _pair(item: object, title: str) -> tuple[Tensor, int]:
    """Return the float tensor and the class number of an item; raise DataError for others."""
    if isinstance(item, DataError):
        raise DataError(f"{title} {item}")
    if not isinstance(item, tuple | list) or len(item) != 2 or not isinstance(item[0], Tensor):
        raise DataError(
            f"{title} is {described(item)}; expected (tensor, label), "
            "give the dataset a transform that ends in a tensor"
        )
    value, label = item
    if not value.is_floating_point():
        raise DataError(
            f"{title} holds a tensor of {dtype_name(value.dtype)}; expected floating point, scale "
            "bytes to [0, 1] in the transform"
        )
    if isinstance(label, Tensor | np.ndarray) and label.shape in ((), (1,)):
        label = label.item()  # MedMNIST's are arrays of one
    if isinstance(label, bool) or not isinstance(label, int | np.integer):
        raise DataError(f"{title} has the label {label!r:.60}; expected an integer class number")
    return value.detach(), int(label)


class _Guarded(Dataset[Any]):
    """The first `length` items, or errors in their place: raised, they would not say of which."""

    def __init__(self, dataset: Dataset[Any], length: int) -> None:
        self.dataset, self.length = dataset, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> object:
        try:
            return self.dataset[index]
        except Exception as error:
            said = one_line(error, kind=True)
            return DataError(f"cannot be read ({said}); repair or drop it")

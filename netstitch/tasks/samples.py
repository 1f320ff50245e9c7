"""Samples held in memory: inputs, labels, and a name for messages."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from netstitch.errors import DataError
from netstitch.files.alignment import aligned
from netstitch.tasks.datasets.given import described, dtype_name, is_count
from netstitch.tasks.task_outputs import nonfinite

VOID = 255
"""The class number of pixels that do not count."""
CHECKED_TOGETHER = 256
"""Inputs checked in one go: a mask of all at once would cost a quarter of their memory."""


@dataclass(frozen=True, eq=False)
class Batches:
    """Inputs in consecutive batches, the last one smaller; may be passed over repeatedly.

    Batches are views, without copying, but for those that begin off a boundary of memory (see
    `netstitch.files.alignment`), which are copied on access.

    Attributes:
        inputs: (n, ...).
        size: Inputs in each batch.
    """

    inputs: Tensor
    size: int

    def __post_init__(self) -> None:
        if not is_count(self.size):
            raise DataError(f"a batch size of {self.size!r} is not usable; give 1 or more")

    def __iter__(self) -> Iterator[Tensor]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Tensor:
        if not 0 <= index < len(self):
            raise IndexError(f"there is no batch {index} of {len(self)}")
        return aligned(self.inputs[index * self.size : (index + 1) * self.size])

    def __len__(self) -> int:
        return -(-len(self.inputs) // self.size)


@dataclass(frozen=True, eq=False)
class Samples:
    """Preprocessed inputs with their labels, checked once when they are made.

    Attributes:
        inputs: (n, ...) float32, finite.
        labels: (n,) int64, not negative (one column, (n, 1), becomes that), or (n, height, width)
            uint8, a class for each pixel; a task checks their upper end.
        name: The samples' name in messages and tables, such as "validation".
        mixed: Whether they are in a random order as they are.
        checked: Given by those who decoded them finite, with labels under so many classes; they
            are not read again to check that, which takes minutes where they are files.

    Raises:
        DataError: For no samples, different lengths, other types, NaN or infinity.
    """

    inputs: Tensor
    labels: Tensor
    name: str = "validation"
    mixed: bool = False
    checked: int | None = None

    def __post_init__(self) -> None:
        _check_tensors(self)
        if self.labels.ndim == 2 and self.labels.shape[1] == 1:
            object.__setattr__(self, "labels", self.labels[:, 0])
        _check_kinds(self)
        _check_sizes(self)
        if self.checked is None:
            _check_finite(self)
            check_labels(self, None)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input, without the batch."""
        return tuple(self.inputs.shape[1:])

    def batches(self, size: int) -> Batches:
        """Return the inputs in batches of `size`, which can be iterated any number of times."""
        return Batches(self.inputs, size)

    def first(self, count: int) -> "Samples":
        """Return the first `count` samples (all, where there are fewer), without copying."""
        return self.part(slice(count))

    def part(self, rows: slice) -> "Samples":
        """Return consecutive samples, without copying."""
        return replace(self, inputs=self.inputs[rows], labels=self.labels[rows])

    def shuffled(self, seed: int) -> "Samples":
        """Return a copy in a random order, the same for equal seeds and counts.

        The first ones then stand for all: data sets often come sorted by their labels. Samples
        that are in a random order already stay as they are, without a copy.
        """
        if self.mixed:
            return self
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self.taken(order)

    def taken(self, order: Tensor) -> "Samples":
        """Return a copy of those at (k,) indices, in their order."""
        return replace(self, inputs=self.inputs[order], labels=self.labels[order], mixed=False)


def check_samples(validation: Samples, **others: Samples | None) -> None:
    """Raise DataError unless all are `Samples` of one shape; others than validation may be None."""
    for name, part in {"validation": validation, **others}.items():
        if not isinstance(part, Samples) and (part is not None or name == "validation"):
            raise DataError(
                f"{name} is {described(part)}; expected samples, such as netstitch.tasks."
                "from_arrays(inputs, labels) gives"
            )
        if part is not None and part.shape != validation.shape:
            raise DataError(
                f"{part.name}: inputs have shape {part.shape} but those of {validation.name} "
                f"{validation.shape}; expected equal shapes, preprocess both alike"
            )


def _check_tensors(samples: Samples) -> None:
    for part, value in (("inputs", samples.inputs), ("labels", samples.labels)):
        if not isinstance(value, Tensor) or value.is_meta or value.layout != torch.strided:
            raise DataError(
                f"{samples.name}: {part} are {described(value)}; expected a dense tensor, convert "
                "them first (netstitch.tasks.from_arrays does)"
            )


def _check_kinds(samples: Samples) -> None:
    inputs, labels = samples.inputs, samples.labels
    if labels.ndim not in (1, 3):
        maps = labels.ndim == 4 and labels.shape[1] == 1
        way = "give labels.squeeze(1)" if maps else "for one-hot rows give labels.argmax(1)"
        raise DataError(
            f"{samples.name}: labels have shape {tuple(labels.shape)}; expected one class number "
            f"per sample, (n,), or per pixel, (n, height, width); {way}"
        )
    expected = torch.uint8 if labels.ndim == 3 else torch.int64
    for part, value, kind in (("inputs", inputs, torch.float32), ("labels", labels, expected)):
        if value.dtype != kind:
            raise DataError(
                f"{samples.name}: {part} are {dtype_name(value.dtype)}; expected "
                f"{dtype_name(kind)}, convert them first (netstitch.tasks.from_arrays does)"
            )


def _check_sizes(samples: Samples) -> None:
    inputs, labels = samples.inputs, samples.labels
    if inputs.ndim < 2 or 0 in inputs.shape[1:]:
        raise DataError(
            f"{samples.name}: inputs have shape {tuple(inputs.shape)}; expected the samples along "
            "dimension 0 and the values of each behind it, (n, ...)"
        )
    if len(inputs) != len(labels):
        raise DataError(
            f"{samples.name}: {len(inputs)} inputs but {len(labels)} labels; expected one label "
            "per input, give arrays of equal length"
        )
    if len(inputs) == 0:
        raise DataError(
            f"{samples.name}: there are no samples; expected at least one, check where the data "
            "comes from and its limit"
        )


def unknown_class(labels: Tensor, classes: int) -> int | None:
    """Return the first number in a label map that is neither under `classes` nor VOID."""
    strange = labels[(labels >= classes) & (labels != VOID)]
    return int(strange[0]) if len(strange) else None


def _check_finite(samples: Samples) -> None:
    first, count = None, 0
    for start in range(0, len(samples), CHECKED_TOGETHER):
        part = samples.inputs[start : start + CHECKED_TOGETHER]
        bad = nonfinite(part)
        if first is None and bad.any():
            first = start + int(bad.nonzero()[0])
        count += int(bad.sum())
    if first is not None:
        raise DataError(
            f"{samples.name}: NaN or infinity in the inputs of {count} of {len(samples)} samples, "
            f"the first is sample {first}; expected finite numbers, clean or drop them"
        )


def check_labels(samples: Samples, classes: int | None) -> None:
    """Raise DataError unless 0 <= label < classes (no upper end where `classes` is None)."""
    if samples.labels.ndim != 1:
        return  # bytes of maps, which a task checks as they are read
    bad = samples.labels < 0
    if classes is not None:
        bad |= samples.labels >= classes
    if bad.any():
        index = int(bad.nonzero()[0])
        expected = "0 or more" if classes is None else f"0 to {classes - 1}"
        raise DataError(
            f"{samples.name}: label {int(samples.labels[index])} of sample {index} is out of "
            f"range ({int(bad.sum())} such); expected {expected}, correct the labels"
            + ("" if classes is None else " or the number of classes")
        )

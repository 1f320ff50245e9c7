"""The state of a refining on disk, so that it can go on after Ctrl-C or kill -9."""

from pathlib import Path
from typing import Any

from torch import Tensor

from netstitch.files.checkpoint import (
    TrainingCheckpoint,
    fingerprint_of,
    restore_training,
    training_tensors,
)
from netstitch.files.documents import Count, Document, Seconds
from netstitch.files.folders import as_path
from netstitch.fitting.refinement.refine_report import CurvePoint, LossValue
from netstitch.fitting.refinement.refine_training import Divergence, Training


class RefineState(Document):
    """The document of a checkpoint; see `write_checkpoint`."""

    elapsed: Seconds
    step: Count
    generator: dict[str, Any]
    gains: tuple[tuple[LossValue, ...], ...]
    closed: tuple[Count, ...]
    strikes: tuple[tuple[Count, Count], ...]
    diverged: tuple[tuple[Count, Count], ...]
    curve: tuple[tuple[Count, Seconds, LossValue], ...]


def checkpoint_of(
    path: Path | str, training: Training, settings: dict[str, Any]
) -> TrainingCheckpoint:
    """Return the checkpoint of a training that has not begun.

    Equal must be settings, stitches, images and labels. The budget may change: training that was
    stopped can be given more or less of it.
    """
    fixed = {key: value for key, value in settings.items() if key not in ("steps", "seconds")}
    tensors = [tensor for pair in training.first for tensor in pair]
    for part in (training.parts.train, training.parts.choose, training.parts.report):
        tensors += [part.inputs] if part.labels is None else [part.inputs, part.labels]
    mark = fingerprint_of(fixed, tensors)
    file = as_path(path, "checkpoint")
    return TrainingCheckpoint(file, "netstitch-refining-3", "refining", mark)


def write_checkpoint(
    checkpoint: TrainingCheckpoint, training: Training, curve: list[CurvePoint], elapsed: float
) -> None:
    """Replace the checkpoint.

    Args:
        checkpoint: The file.
        training: Between two steps.
        curve: Held-out losses so far.
        elapsed: Seconds spent so far.

    Raises:
        StorageError: It cannot be written.
    """
    document = {
        "elapsed": elapsed,
        "step": training.step,
        "generator": training.generator.bit_generator.state,
        "gains": training.gains.losses,
        "closed": sorted(training.gains.closed),
        "strikes": sorted(training.strikes.items()),
        "diverged": [[each.step, each.stitch] for each in training.diverged],
        "curve": [[point.step, point.seconds, point.loss] for point in curve],
    }
    checkpoint.write(document, training_tensors(_named(training), training.optimizer))


def read_checkpoint(
    checkpoint: TrainingCheckpoint, training: Training
) -> tuple[list[CurvePoint], float]:
    """Bring a training to where a checkpoint left it.

    Returns:
        The curve, and the seconds spent so far.

    Raises:
        StorageError: The file is damaged, or of another supernet, images or settings.
    """
    with checkpoint.reading(RefineState) as (state, tensors):
        training.generator.bit_generator.state = state.generator
        training.step = state.step
        training.gains.losses = [list(each) for each in state.gains]
        training.gains.closed |= set(state.closed)
        training.strikes = dict(state.strikes)
        training.diverged = [Divergence(*each) for each in state.diverged]
        restore_training(_named(training), training.optimizer, tensors)
        for stitch, (inner, _) in enumerate(training.inner):
            # What never moved keeps the very bits of the first stage.
            if stitch not in training.gains.closed and inner in training.optimizer.state:
                training.write(stitch)
        return [CurvePoint(*point) for point in state.curve], state.elapsed


def _named(training: Training) -> dict[str, Tensor]:
    return {
        f"{stitch}.{name}": tensor
        for stitch, pair in enumerate(training.inner)
        for name, tensor in zip(("inner", "offset"), pair, strict=True)
    }

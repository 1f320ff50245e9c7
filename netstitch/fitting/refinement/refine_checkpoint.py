"""The state of a refining on disk, so that it can go on after Ctrl-C or kill -9.

One safetensors file, replaced whole: what was learned and Adam's averages as tensors, everything
else as JSON in its header.
"""

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors.torch import save
from torch import Tensor

from netstitch.errors import StorageError
from netstitch.files.documents import Count, Document, Seconds, problem
from netstitch.files.folders import cannot_write, write_bytes
from netstitch.files.tensor_files import placed, read_tensors
from netstitch.fitting.refinement.refine_report import CurvePoint, Loss
from netstitch.fitting.refinement.refine_training import Divergence, Training
from netstitch.text import one_line

FORMAT = "netstitch-refining-2"


class CheckpointDocument(Document):
    """The header; see `write_checkpoint`."""

    format: str
    mark: str
    elapsed: Seconds
    step: Count
    generator: dict[str, Any]
    gains: tuple[tuple[Loss, ...], ...]
    closed: tuple[Count, ...]
    strikes: tuple[tuple[Count, Count], ...]
    diverged: tuple[tuple[Count, Count], ...]
    curve: tuple[tuple[Count, Seconds, Loss], ...]


def fingerprint(training: Training, settings: Mapping[str, Any]) -> str:
    """What must be equal for a checkpoint to be gone on with: settings, stitches, images, labels.

    The budget may change: training that was stopped can be given more or less of it.
    """
    fixed = {key: value for key, value in settings.items() if key not in ("steps", "seconds")}
    digest = blake2b(json.dumps(fixed, sort_keys=True, default=str).encode(), digest_size=16)
    tensors = [tensor for pair in training.first for tensor in pair]
    for part in (training.parts.train, training.parts.choose, training.parts.report):
        tensors += [part.inputs] if part.labels is None else [part.inputs, part.labels]
    for tensor in tensors:
        digest.update(str((tensor.dtype, tuple(tensor.shape))).encode())
        digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def is_there(path: Path) -> bool:
    """Whether there is a checkpoint; StorageError where its place cannot be one's."""
    try:
        if path.is_dir():
            raise StorageError(f"checkpoint {path} is a folder: give the name of a file")
        if not path.parent.is_dir():
            raise StorageError(
                f"checkpoint {path} cannot be written: there is no folder {path.parent}; make it, "
                "or give another place"
            )
        return path.exists()
    except OSError as error:
        raise cannot_write(path, error) from error


def write_checkpoint(
    path: Path,
    training: Training,
    curve: list[CurvePoint],
    *,
    mark: str,
    elapsed: float,
) -> None:
    """Replace the checkpoint. mark: the fingerprint. elapsed: seconds spent so far.

    Raises StorageError where it cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for index, pair in enumerate(training.inner):
        for name, tensor in zip(("inner", "offset"), pair, strict=True):
            tensors[f"{index}.{name}"] = tensor.detach().cpu()
            for key, value in training.optimizer.state.get(tensor, {}).items():
                tensors[f"{index}.{name}.{key}"] = torch.as_tensor(value).cpu()
    document = {
        "format": FORMAT,
        "mark": mark,
        "elapsed": elapsed,
        "step": training.step,
        "generator": training.generator.bit_generator.state,
        "gains": training.gains.losses,
        "closed": sorted(training.gains.closed),
        "strikes": sorted(training.strikes.items()),
        "diverged": [[each.step, each.stitch] for each in training.diverged],
        "curve": [[point.step, point.seconds, point.loss] for point in curve],
    }
    content = {key: tensor.contiguous().clone() for key, tensor in tensors.items()}
    write_bytes(path, placed(save(content, metadata={"state": json.dumps(document)})))


def read_checkpoint(path: Path, training: Training, *, mark: str) -> tuple[list[CurvePoint], float]:
    """Bring a training to where a checkpoint left it; the curve and the seconds spent so far.

    Raises StorageError where the file is damaged, or of another supernet, images or settings.
    """
    try:
        tensors, about = read_tensors(path)
        document = CheckpointDocument.model_validate_json(about["state"])
        if document.format != FORMAT or document.mark != mark:
            raise StorageError(
                f"{path} is the checkpoint of another refining (other stitches, images or "
                "settings): give another file, or remove it to start anew"
            )
        _restore(training, document, tensors)
        return [CurvePoint(*point) for point in document.curve], document.elapsed
    except StorageError:
        raise
    except ValidationError as error:
        raise _unreadable(path, problem(error)) from error
    except Exception as error:  # the reader raises kinds of its own, of Rust, Python and torch
        raise _unreadable(path, one_line(error)) from error


def _unreadable(path: Path, reason: str) -> StorageError:
    return StorageError(f"{path} is no readable checkpoint ({reason}): remove it to start anew")


def _restore(
    training: Training, document: CheckpointDocument, tensors: Mapping[str, Tensor]
) -> None:
    training.generator.bit_generator.state = document.generator
    training.step = document.step
    training.gains.losses = [list(each) for each in document.gains]
    training.gains.closed |= set(document.closed)
    training.strikes = dict(document.strikes)
    training.diverged = [Divergence(*each) for each in document.diverged]
    for index, pair in enumerate(training.inner):
        for name, tensor in zip(("inner", "offset"), pair, strict=True):
            stem = f"{index}.{name}"
            with torch.no_grad():
                tensor.copy_(tensors[stem])
            state = {
                key.removeprefix(f"{stem}."): value.clone()
                for key, value in tensors.items()
                if key.startswith(f"{stem}.")
            }
            if state:
                training.optimizer.state[tensor] = state
        # What never moved keeps the very bits of the first stage.
        if index not in training.gains.closed and pair[0] in training.optimizer.state:
            training.write(index)

"""How far fine-tuning is, on disk, so that it goes on after Ctrl-C, a kill or a power failure.

One safetensors file, replaced whole: weights and Adam's averages as tensors, the rest as JSON in
its header.
"""

import json
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import AllowInfNan, Field, ValidationError
from safetensors.torch import save
from torch import Tensor

from netstitch.errors import StorageError
from netstitch.files.documents import Document, problem
from netstitch.files.folders import write_bytes
from netstitch.files.tensor_files import placed, read_tensors
from netstitch.tasks import Samples
from netstitch.text import one_line

FORMAT = "netstitch-tuning-1"
LOOKED_AT = 64
"""Inputs that tell sets of samples apart, with all of their labels; sets may be many gigabytes."""


class TuningDocument(Document):
    """The header."""

    format: str
    mark: str
    losses: tuple[Annotated[float, AllowInfNan(True)], ...]
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None


def fingerprint(
    settings: Mapping[str, Any], weights: Mapping[str, Tensor], samples: Samples
) -> str:
    """What must be equal for a checkpoint to be gone on with: settings, weights, samples."""
    digest = blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16)
    tensors = [*weights.values(), samples.inputs[:LOOKED_AT], samples.labels]
    for tensor in tensors:
        digest.update(str((tensor.dtype, tuple(tensor.shape))).encode())
        raw = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
        digest.update(raw.numpy().data)
    return digest.hexdigest()


def write_checkpoint(
    path: Path,
    mark: str,
    weights: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    losses: list[float],
) -> None:
    """Replace the checkpoint. mark: the fingerprint. losses: of each step so far.

    Raises StorageError where it cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    for key, tensor in weights.items():
        tensors[f"weight/{key}"] = tensor
        for name, value in optimizer.state.get(tensor, {}).items():
            tensors[f"{name}/{key}"] = torch.as_tensor(value)
    content = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
    threads = torch.get_num_threads()
    document = {"format": FORMAT, "mark": mark, "losses": losses, "threads": threads}
    write_bytes(path, placed(save(content, metadata={"state": json.dumps(document)})))


def read_checkpoint(
    path: Path, mark: str, weights: Mapping[str, Tensor], optimizer: torch.optim.Optimizer
) -> tuple[list[float], int]:
    """Bring weights and their optimizer to where a checkpoint left them.

    Returns the losses so far, and the threads inside operations, on which last bits depend.

    Raises StorageError where the file is damaged, or of another network, samples or settings.
    """
    try:
        tensors, about = read_tensors(path)
        document = TuningDocument.model_validate_json(about["state"])
        if document.format != FORMAT or document.mark != mark:
            raise StorageError(
                f"{path} is of another fine-tuning (another network, samples or settings): remove "
                "it to start anew, or go on with what it began with"
            )
        states: dict[str, dict[str, Tensor]] = {key: {} for key in weights}
        for name, tensor in tensors.items():
            kind, _, key = name.partition("/")
            states[key][kind] = tensor
        for key, weight in weights.items():
            with torch.no_grad():
                weight.copy_(states[key].pop("weight"))
            if states[key]:  # what no gradient reached yet has no state
                optimizer.state[weight] = {
                    kind: value if kind == "step" else value.to(weight.device)
                    for kind, value in states[key].items()
                }
        threads = torch.get_num_threads() if document.threads is None else document.threads
        return list(document.losses), threads
    except StorageError:
        raise
    except ValidationError as error:
        raise _unreadable(path, problem(error)) from error
    except Exception as error:  # the reader raises kinds of its own, of Rust, Python and torch
        raise _unreadable(path, one_line(error)) from error


def _unreadable(path: Path, reason: str) -> StorageError:
    return StorageError(f"{path} is no readable checkpoint ({reason}): remove it to start anew")

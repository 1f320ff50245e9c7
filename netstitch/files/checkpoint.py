"""Checkpoints: how far a training is, in a file from which it goes on after Ctrl-C or a kill.

One safetensors file, replaced whole: parameters and their optimizer's averages as tensors, and in
its header the rest as a JSON document, with a fingerprint of what the training is of.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors.torch import save
from torch import Tensor
from torch.optim import Optimizer

from netstitch.errors import StorageError
from netstitch.files.alignment import placed, read_tensors
from netstitch.files.documents import Model, problem
from netstitch.files.folders import cannot_write, write_bytes
from netstitch.text import one_line

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class TrainingCheckpoint:
    """A file that says how far a training is.

    Attributes:
        path: The file, which need not be there yet.
        form: The format of its content.
        of: What messages call a training of this kind, such as "refining".
        fingerprint: Of all that must be equal to go on, from `fingerprint_of`.
    """

    path: Path
    form: str
    of: str
    fingerprint: str

    def exists(self) -> bool:
        """Return whether the file is there; raises StorageError where none can be written."""
        try:
            if self.path.is_dir():
                raise StorageError(f"checkpoint {self.path} is a folder: give the name of a file")
            if not self.path.parent.is_dir():
                raise StorageError(
                    f"checkpoint {self.path} cannot be written: there is no folder "
                    f"{self.path.parent}; make it, or give another place"
                )
            return self.path.exists()
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def write(self, document: Mapping[str, object], tensors: Mapping[str, Tensor]) -> None:
        """Replace the file with plain data and tensors; raises StorageError where it cannot."""
        content = {key: each.detach().cpu().contiguous().clone() for key, each in tensors.items()}
        header = {"format": self.form, "fingerprint": self.fingerprint}
        header["state"] = json.dumps(document)
        write_bytes(self.path, placed(save(content, metadata=header)))

    @contextmanager
    def reading(self, model: type[Model]) -> Iterator[tuple[Model, Tensors]]:
        """Yield document and tensors; errors raised in the `with` body count as a damaged file.

        Raises:
            StorageError: The file is damaged, or of another training.
        """
        try:
            tensors, header = read_tensors(self.path)
            if (header["format"], header["fingerprint"]) != (self.form, self.fingerprint):
                raise StorageError(
                    f"{self.path} is the checkpoint of another {self.of} (of other weights, "
                    "samples or settings): give another file, or remove it to start anew"
                )
            yield model.model_validate_json(header["state"]), tensors
        except StorageError:
            raise
        except Exception as error:  # the reader raises kinds of its own, of Rust, Python and torch
            reason = problem(error) if isinstance(error, ValidationError) else one_line(error)
            raise StorageError(
                f"{self.path} is no readable checkpoint ({reason}): remove it to start anew"
            ) from error


def fingerprint_of(settings: Mapping[str, object], tensors: Iterable[Tensor]) -> str:
    """Return a digest of settings, as plain data, and of tensors to the bit."""
    digest = blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16)
    for tensor in tensors:
        digest.update(str((tensor.dtype, tuple(tensor.shape))).encode())
        raw = tensor.detach().cpu().contiguous()
        # Strides of none or one may be anything, which a view as bytes does not take.
        flat = raw.as_strided((raw.numel(),), (1,))
        digest.update(flat.view(torch.uint8).numpy().data)
    return digest.hexdigest()


def training_tensors(parameters: Mapping[str, Tensor], optimizer: Optimizer) -> Tensors:
    """Return parameters, and what their optimizer knows of each, as tensors by name."""
    found = {}
    for key, parameter in parameters.items():
        found[f"value/{key}"] = parameter
        for name, value in optimizer.state.get(parameter, {}).items():
            found[f"{name}/{key}"] = torch.as_tensor(value)
    return found


def restore_training(
    parameters: Mapping[str, Tensor], optimizer: Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Bring parameters and their optimizer to where `training_tensors` found them."""
    states: dict[str, Tensors] = {key: {} for key in parameters}
    for name, tensor in tensors.items():
        kind, _, key = name.partition("/")
        states[key][kind] = tensor
    for key, parameter in parameters.items():
        with torch.no_grad():
            parameter.copy_(states[key].pop("value"))
        if states[key]:  # what no gradient reached yet has no state
            optimizer.state[parameter] = {
                kind: value if kind == "step" else value.to(parameter.device)
                for kind, value in states[key].items()
            }

"""The tensors of a checkpoint, by the names that lead to them, read without running anything."""

import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from netstitch.errors import WeightsError
from netstitch.networks.checkpoints.file_kinds import ADVICE, AGAIN, brief, kind_of, shown, some
from netstitch.networks.checkpoints.stand_ins import STAND_INS, StandIn
from netstitch.text import one_line
from netstitch.threads import quiet

CHUNK = 1 << 20


@dataclass(frozen=True)
class StoredTensor:
    """A tensor of a checkpoint, its key, and those of the dictionaries that lead to its own."""

    holder: tuple[str, ...]
    name: str
    tensor: Tensor

    @property
    def path(self) -> str:
        """The holder's keys and the name, with dots between them."""
        return ".".join((*self.holder, self.name))


@dataclass(frozen=True)
class Checkpoint:
    """All tensors in a file, and the classes of other objects by dotted path."""

    file: Path
    tensors: list[StoredTensor]
    others: dict[str, str]


def read_checkpoint(path: Path) -> Checkpoint:
    """Return the tensors of a safetensors file or of what `torch.save` wrote, on the CPU.

    The file's content says which it is. A pickle is read by torch's restricted reader, and objects
    that trainers keep beside the weights are passed over (see `stand_ins.py`).

    Raises:
        WeightsError: When the file is missing, damaged, of another kind, holds objects of any other
            class (which are not made), or no tensors.
    """
    read = _read_safetensors if kind_of(path) == "safetensors" else _read_restricted
    try:
        content = read(path)
    except pickle.UnpicklingError as error:
        raise WeightsError(f"{shown(path)} is {_refused(str(error))}") from error
    except Exception as error:  # damage shows as EOFError, RuntimeError, KeyError and more
        reason = brief(one_line(error))
        raise WeightsError(
            f"{shown(path)} is cut off or damaged ({reason}); {AGAIN}, or {ADVICE}"
        ) from error
    # Also a list of dictionaries, as of a network and of its optimizer.
    several = content if isinstance(content, list | tuple) else [content]
    if not any(isinstance(each, Mapping) for each in several):
        raise WeightsError(
            f"{shown(path)} holds {_called(content)}; expected tensors by name, {ADVICE}"
        )
    tensors, others = [], {}
    for holder, name, value in _leaves(content):
        if isinstance(value, Tensor):
            tensors.append(StoredTensor(holder, name, value))
        else:
            others[".".join((*holder, name))] = _called(value)
    if not tensors:
        found = some(list(others)) or "nothing"
        raise WeightsError(f"{shown(path)} holds no tensors by name ({found}); {ADVICE}")
    return Checkpoint(path, tensors, others)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        str(path).encode()
    except UnicodeEncodeError:  # a name that the reader does not find
        return safetensors.torch.load(path.read_bytes())
    return safetensors.torch.load_file(path)


def _read_restricted(path: Path) -> object:
    _check_sums(path)
    # Quiet, since torch warns of what it refuses in the next moment. A file and not its path, by
    # whose ending torch would judge it. Sparse tensors whose indices are out of range would be read
    # from anywhere in memory.
    with (
        quiet(),
        torch.serialization.safe_globals(STAND_INS),
        torch.sparse.check_sparse_tensor_invariants(),  # type: ignore[no-untyped-call]
        path.open("rb") as file,
    ):
        return torch.load(file, map_location="cpu", weights_only=True)


def _check_sums(path: Path) -> None:
    """Raise BadZipFile where bytes of a zip archive have changed, which torch does not look for."""
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            # 0 stands for none, as torch writes where it is told not to compute them.
            if info.CRC and info.compress_type == zipfile.ZIP_STORED:
                with archive.open(info) as member:
                    while member.read(CHUNK):
                        pass


def _refused(reason: str) -> str:
    """Return words on a file that torch's restricted reader refused, with a remedy."""
    if "Unsupported operand" in reason:
        return (
            "damaged, or a pickle of another protocol than 2, which torch's restricted reader does "
            f"not take; {ADVICE}"
        )
    named = re.search(r"GLOBAL ([\w.]+)|``([\w.]+)`` must be", reason)
    name = (named.group(1) or named.group(2)) if named else ""
    if name.endswith("."):  # the file ended within it
        return f"cut off or damaged; {AGAIN}, or {ADVICE}"
    what = f" ({name})" if name else ""
    return f"a pickle of more than tensors{what}, which could run code and was not run; {ADVICE}"


def _leaves(content: object) -> Iterator[tuple[tuple[str, ...], str, object]]:
    """Yield all values that are no containers, with the keys that lead to them."""
    seen: set[int] = set()
    waiting: list[tuple[tuple[str, ...], Any]] = [((), content)]
    for holder, container in waiting:
        if id(container) in seen:
            continue
        seen.add(id(container))
        pairs = container.items() if isinstance(container, Mapping) else enumerate(container)
        for key, value in pairs:
            if isinstance(value, Mapping | list) or type(value) is tuple:
                waiting.append(((*holder, str(key)), value))
            else:
                yield holder, str(key), value


def _called(value: object) -> str:
    kind = value.stands_for if isinstance(value, StandIn) else type(value).__name__
    return f"a{'n' * (kind[0] in 'aeiou')} {kind}"

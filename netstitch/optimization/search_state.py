"""The state of a search as plain data, and as a file.

A state holds numbers, text, lists, dictionaries with names as keys, and arrays. Its file is one of
safetensors, replaced whole: the arrays, and everything else as JSON in the header. Opening one runs
no code.
"""

import json
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
from safetensors.numpy import save

from netstitch.errors import SearchError, StorageError
from netstitch.files.folders import cannot_write, write_bytes
from netstitch.files.tensor_files import placed
from netstitch.text import one_line

State = dict[str, Any]
"""Plain data, as the module says; names do not begin with "$"."""

FORMAT = "netstitch-search-5"
_ARRAY = "$array"


def save_state(path: Path, state: State) -> None:
    """Write a state in place of what was there; raises StorageError where that cannot be."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    plain = _without_arrays(state, arrays)
    try:
        text = json.dumps(plain)
        header = {"format": FORMAT, "state": text, "digest": _digest(text, arrays)}
        write_bytes(path, placed(save(arrays, header)))
    except OSError as error:
        raise cannot_write(path, error) from error


def load_state(path: Path) -> State:
    """Read what `save_state` wrote; raises StorageError where it is not that, or damaged."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                raise StorageError(
                    f"{path} has format {header.get('format')!r:.80}; this version reads {FORMAT!r}"
                )
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if header["digest"] != _digest(header["state"], arrays):
            raise StorageError(f"{path} is damaged: its content is not as it was written")
        state: State = _with_arrays(json.loads(header["state"]), arrays)
    except FileNotFoundError:
        raise StorageError(f"{path} is missing; expected the state of a search") from None
    except (
        OSError,
        ValueError,
        KeyError,
        RecursionError,
        safetensors.SafetensorError,
    ) as error:
        raise StorageError(
            f"{path} cannot be read ({one_line(error)}); expected the state of a search"
        ) from error
    return state


def _digest(text: str, arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    found = blake2b(text.encode(), digest_size=16)
    for name in sorted(arrays):
        found.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        found.update(arrays[name].tobytes())
    return found.hexdigest()


def _without_arrays(value: Any, arrays: dict[str, npt.NDArray[Any]]) -> Any:
    """Return the same as JSON can hold it, its arrays moved away."""
    if isinstance(value, np.ndarray):
        name = str(len(arrays))
        arrays[name] = np.ascontiguousarray(value)
        return {_ARRAY: name}
    if isinstance(value, dict):
        return {key: _without_arrays(one, arrays) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(one, arrays) for one in value]
    return value


def _with_arrays(value: Any, arrays: dict[str, npt.NDArray[Any]]) -> Any:
    if isinstance(value, dict):
        if _ARRAY in value:
            return arrays[value[_ARRAY]]
        return {key: _with_arrays(one, arrays) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_arrays(one, arrays) for one in value]
    return value


def packed(lists: Sequence[Sequence[int] | npt.NDArray[np.int64]]) -> State:
    """Return lists of whole numbers of different lengths as two arrays."""
    lengths = np.array([len(one) for one in lists], dtype=np.int64)
    values = np.concatenate([np.asarray(one, dtype=np.int64) for one in lists] or [lengths])
    return {"lengths": lengths, "values": values}


def unpacked(state: State) -> list[npt.NDArray[np.int64]]:
    """Return what `packed` was given, as arrays."""
    ends = np.cumsum(state["lengths"])
    return [
        state["values"][end - length : end].copy()
        for end, length in zip(ends, state["lengths"], strict=True)
    ]


_SHOWN = 60
"""Characters of a value that a message quotes."""


def as_plain(value: Any) -> Any:
    """Return the same with numbers of Python for NumPy's, and lists for tuples and arrays."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: as_plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_plain(one) for one in value]
    return value


def check_config(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """Raise SearchError, naming the first difference, when two searches are not the same."""
    for name in dict.fromkeys([*ours, *theirs]):
        if ours.get(name) != theirs.get(name):
            raise SearchError(
                f"the state is of another search, with {name} {_short(theirs.get(name))}, not "
                f"{_short(ours.get(name))}: ask the same, or begin anew"
            )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."

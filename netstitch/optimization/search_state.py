"""The state of a search as a file: a checkpoint of arrays, and everything else as JSON.

A state holds numbers, text, bytes, lists, tuples, dictionaries with names as keys, arrays, and
dataclasses of KINDS. Reading one runs no code.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel

from netstitch.errors import SearchError, StorageError
from netstitch.files.checkpoint import TrainingCheckpoint, fingerprint_of
from netstitch.optimization.executors.executor import Completed
from netstitch.optimization.operators.gene_pool_mixing import Mixing
from netstitch.optimization.problem import Solution, State
from netstitch.optimization.results import Pending

FORMAT = "netstitch-search-6"
KINDS: Mapping[str, Callable[..., object]] = {
    one.__name__: one for one in (Completed, Mixing, Pending, Solution)
}
_SHOWN = 60
_PLAIN = (type(None), bool, int, float, str)


class _Content(BaseModel):
    """The state without its arrays, as JSON, and a digest of both."""

    state: str
    digest: str


def save_state(path: Path, state: State) -> None:
    """Write a state in place of what was there.

    Raises:
        SearchError: It holds something that a state cannot hold.
        StorageError: The file cannot be written.
    """
    arrays: list[npt.NDArray[Any]] = []
    text = json.dumps(_encoded(state, arrays))
    # Writable, since PyTorch warns of others.
    tensors = [torch.from_numpy(np.require(one, requirements=["C", "W"])) for one in arrays]
    content = {"state": text, "digest": fingerprint_of({"state": text}, tensors)}
    _file(path).write(content, {str(index): one for index, one in enumerate(tensors)})


def load_state(path: Path) -> State:
    """Read what `save_state` wrote; raises StorageError where it is not that, or damaged."""
    if not path.exists():
        raise StorageError(f"{path} is missing; expected the state of a search")
    with _file(path).reading(_Content) as (content, tensors):
        found = [tensors[str(index)] for index in range(len(tensors))]
        if content.digest != fingerprint_of({"state": content.state}, found):
            raise StorageError(f"{path} is damaged: its content is not as it was written")
        state: State = _decoded(json.loads(content.state), [one.numpy() for one in found])
    return state


def _file(path: Path) -> TrainingCheckpoint:
    return TrainingCheckpoint(path, FORMAT, "search", fingerprint="")


def _encoded(value: Any, arrays: list[npt.NDArray[Any]]) -> Any:
    """Return the same as JSON can hold it, with arrays moved to the end of `arrays`."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, dict):
        return {name: _encoded(one, arrays) for name, one in value.items()}
    if isinstance(value, list):
        return _encoded_list(value, arrays)
    if isinstance(value, tuple):
        return {"$tuple": _encoded(list(value), arrays)}
    if isinstance(value, bytes):
        return {"$bytes": value.hex()}
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"$array": len(arrays) - 1}
    kind = type(value).__name__
    if kind not in KINDS:
        raise SearchError(
            f"the state of a search holds a {kind}, which cannot be saved: let algorithm and "
            "problem use numbers, text, bytes, lists, tuples, dictionaries, arrays and solutions"
        )
    return {f"${kind}": _encoded(vars(value), arrays)}


def _encoded_list(values: list[Any], arrays: list[npt.NDArray[Any]]) -> Any:
    """Return a list as `_encoded` does; many bytes or one-dimensional arrays are joined."""
    kinds = {type(one) for one in values}
    if kinds <= set(_PLAIN):
        return values
    if kinds == {bytes}:
        mark, joined = "$bytes in a row", np.frombuffer(bytearray().join(values), np.uint8)
    elif kinds == {np.ndarray} and {(one.ndim, one.dtype) for one in values} == {
        (1, values[0].dtype)
    }:
        mark, joined = "$arrays in a row", np.concatenate(values)
    else:
        return [_encoded(one, arrays) for one in values]
    arrays += [np.array([len(one) for one in values]), joined]
    return {mark: len(arrays) - 2}


def _decoded(value: Any, arrays: Sequence[npt.NDArray[Any]]) -> Any:
    """Return the value that `_encoded` was given."""
    if isinstance(value, list):
        return [_decoded(one, arrays) if type(one) in (dict, list) else one for one in value]
    if not isinstance(value, dict):
        return value
    mark: str
    content: Any
    mark, content = next(iter(value.items()), ("", None))
    if mark == "$tuple":
        return tuple(_decoded(content, arrays))
    if mark == "$bytes":
        return bytes.fromhex(content)
    if mark == "$array":
        return arrays[content]
    if mark in ("$bytes in a row", "$arrays in a row"):
        lengths, values = arrays[content : content + 2]
        row: Any = values.tobytes() if mark == "$bytes in a row" else values
        ends = zip(np.cumsum(lengths).tolist(), lengths.tolist(), strict=True)
        return [row[end - length : end] for end, length in ends]
    if mark.startswith("$"):
        return KINDS[mark[1:]](**_decoded(content, arrays))
    return {name: _decoded(one, arrays) for name, one in value.items()}


def json_ready(value: object) -> Any:
    """Return the same with numbers of Python for NumPy's, and lists for tuples and arrays."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {key: json_ready(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(one) for one in value]
    return value


def check_config(ours: Mapping[str, object], theirs: Mapping[str, object]) -> None:
    """Raise SearchError, naming the first difference, when two searches are not the same."""
    for name in dict.fromkeys([*ours, *theirs]):
        if ours.get(name) != theirs.get(name):
            raise SearchError(
                f"the state is of another search, with {name} {_short(theirs.get(name))}, not "
                f"{_short(ours.get(name))}: ask the same, or begin anew"
            )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."

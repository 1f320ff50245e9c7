"""Constants of a captured network: whatever it computes without its input is computed once.

Standardised convolutions, low-rank updates and tables of positions become weights, so that none of
their operations needs to be listed, or is charged for.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from netstitch.networks.capturing.canonical import OperatorCall
from netstitch.networks.keys import Keys
from netstitch.networks.module import to_torch


class Constants:
    """Values known without the input, by the name of their node."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._paths: dict[str, str] = {}
        self._trained: set[str] = set()  # names of what parameters go into
        self._memory: set[int] = set()  # where parameters lie
        self._computed: dict[str, str] = {}  # names by the call that they are results of
        self._keys = Keys()

    def number(self, name: str) -> bool | int | float | None:
        """Return the value of a node that is a number; None for any other one."""
        value = self._values.get(name)
        return value if isinstance(value, bool | int | float) else None

    def remember(self, name: str, value: object) -> None:
        """Keep a value that is no weight of its own."""
        self._values[name] = value

    def add(self, name: str, path: str, tensor: Tensor, *, trained: bool) -> None:
        """Keep a parameter (`trained`), a buffer or a constant, which may become a weight."""
        self._values[name] = tensor
        self._paths[name] = path
        if trained:
            self._trained.add(name)
            self._memory.add(tensor.untyped_storage().data_ptr())

    def follows(self, call: OperatorCall) -> bool:
        """Return whether a call reads constants alone."""
        return all(name in self._values for name in call.read)

    def computed_before(self, call: OperatorCall, name: str) -> str:
        """Return the name of an equal call's result, or `name` where this is the first one."""
        key = repr((call.operation, call.args, sorted(call.kwargs.items())))
        return self._computed.setdefault(key, name)

    def compute(self, name: str, function: Callable[..., object], call: OperatorCall) -> object:
        """Return the value of a call that reads constants alone, and keep it."""
        value = function(
            *(to_torch(item, self._values) for item in call.args),
            **{key: to_torch(item, self._values) for key, item in call.kwargs.items()},
        )
        self._values[name] = value
        # What is made of a parameter has its name, by which a user knows it.
        first = next((read for read in call.read if read in self._trained), None)
        self._paths[name] = f"constants.{name}" if first is None else self._paths[first]
        if first is not None:
            self._trained.add(name)
        return value

    def stays(self, value: object) -> bool:
        """Return whether the network should compute a value, if its operation is listed.

        That is so for views of parameters, each of which stays one weight, under its own name,
        however many read it; and for complex numbers, which weights are not.
        """
        tensors = value if isinstance(value, list | tuple) else (value,)
        return any(
            tensor.is_complex() or tensor.untyped_storage().data_ptr() in self._memory
            for tensor in tensors
            if isinstance(tensor, Tensor)
        )

    def make_key(self, name: str) -> str:
        """Return a new key for a constant that the graph reads."""
        return self._keys.make(self._paths[name])

    def weight(self, name: str) -> Tensor:
        """Return a copy of a constant that the graph reads; a parameter where one goes into it."""
        kept: Tensor = self._values[name].detach().clone(memory_format=torch.contiguous_format)
        if name in self._trained and kept.is_floating_point():
            return torch.nn.Parameter(kept, requires_grad=False)
        return kept

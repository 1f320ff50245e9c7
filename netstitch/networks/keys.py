"""Keys of weights and names of nodes, which can stand in a module and in the code made for it.

A key such as "layer3.4.conv2.weight" becomes nested modules, and an attribute in generated code. So
its parts are neither keywords nor names that modules need for themselves.
"""

import re
from collections.abc import Sequence
from keyword import iskeyword

from torch import fx, nn

from netstitch.networks.graph import WEIGHT, Node
from netstitch.text import numbered

# Taken from instances, since modules make some of their attributes when they are built.
_TAKEN = frozenset(dir(fx.GraphModule(nn.Module(), fx.Graph())))
_PART = re.compile(r"[A-Za-z0-9_]+")


def is_part(part: str) -> bool:
    """Return whether a name can be one part of a key."""
    return bool(_PART.fullmatch(part)) and not iskeyword(part) and part not in _TAKEN


def is_key(key: str) -> bool:
    """Return whether a dotted name can be the key of a weight."""
    return all(is_part(part) for part in key.split("."))


def is_identifier(name: str) -> bool:
    """Return whether a name can stand for a value in generated code."""
    return name.isascii() and name.isidentifier() and not iskeyword(name) and name != "self"


class Keys:
    """Keys given out for paths, no two of which clash.

    Two keys clash when they are equal, or when one names a module and the other a tensor.
    """

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._modules: set[str] = set()

    def clashes(self, key: str) -> bool:
        """Return whether a key cannot stand beside those given out."""
        return key in self._keys or key in self._modules or not self._keys.isdisjoint(_modules(key))

    def add(self, key: str) -> None:
        """Take a key, which must not clash."""
        self._keys.add(key)
        self._modules.update(_modules(key))

    def make(self, path: str) -> str:
        """Take and return the nearest key to a path that clashes with none given out."""
        parts = [re.sub(r"\W+", "_", one, flags=re.ASCII) or "_" for one in path.split(".")]
        first, *others = [one if is_part(one) else f"{one}_" for one in parts]
        number, key = 1, ".".join([first, *others])
        while self.clashes(key):
            number += 1
            key = ".".join([f"{first}_{number}", *others])
        self.add(key)
        return key


def _modules(key: str) -> list[str]:
    """Return the modules that a tensor hangs in: "a" and "a.b" for "a.b.c"."""
    parts = key.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def readable_names(nodes: Sequence[Node]) -> dict[str, str]:
    """Return new names by old: the module path a user knows, the operation, a number."""
    taken: set[str] = set()
    names = {}
    for node in nodes:
        parts = [node.path] if node.path else []
        if node.operation != WEIGHT:  # "batch_norm" of "aten.batch_norm.default"
            parts.append(node.operation.split(".")[1 if "." in node.operation else 0])
        stem = re.sub(r"\W+", "_", "_".join(parts), flags=re.ASCII)
        stem = stem if is_identifier(stem) else f"n{stem}"
        name = numbered(stem, taken)
        taken.add(name)
        names[node.name] = name
    return names

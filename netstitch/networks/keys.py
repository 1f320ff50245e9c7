"""Keys of weights and names of nodes, which can stand in a module and in the code made for it.

A key such as "layer3.4.conv2.weight" becomes nested modules, and an attribute in the code that
`torch.fx` generates. So its parts are letters, digits and underscores, none is a keyword, and none
is a name that modules need for themselves: two modules "graph" and "a b" of a user's model are
renamed, and a file that says otherwise is refused.
"""

import re
from collections.abc import Sequence
from keyword import iskeyword

from torch import fx, nn

from netstitch.networks.graph import WEIGHT, Node

# Taken from instances, since modules make some of their attributes when they are built.
_TAKEN = frozenset(dir(fx.GraphModule(nn.Module(), fx.Graph())))
_PART = re.compile(r"[A-Za-z0-9_]+")


def is_part(part: str) -> bool:
    """Whether a name can be one part of a key."""
    return bool(_PART.fullmatch(part)) and not iskeyword(part) and part not in _TAKEN


def is_key(key: str) -> bool:
    """Whether a dotted name can be the key of a weight."""
    return all(is_part(part) for part in key.split("."))


def is_identifier(name: str) -> bool:
    """Whether a name can stand for a value in generated code."""
    return name.isascii() and name.isidentifier() and not iskeyword(name) and name != "self"


class Keys:
    """Keys given out for paths, no two of which clash.

    Two keys clash when they are equal, or when one names a module and the other a tensor.
    """

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._modules: set[str] = set()

    def clashes(self, key: str) -> bool:
        """Whether a key cannot stand beside those given out."""
        return key in self._keys or key in self._modules or not self._keys.isdisjoint(_modules(key))

    def add(self, key: str) -> None:
        """Take a key, which must not clash."""
        self._keys.add(key)
        self._modules.update(_modules(key))

    def make(self, path: str) -> str:
        """The nearest key to a path that clashes with none given out; it is taken."""
        first, *others = [_make_part(part) for part in path.split(".")]
        number, key = 1, ".".join([first, *others])
        while self.clashes(key):
            number += 1
            key = ".".join([f"{first}_{number}", *others])
        self.add(key)
        return key


def _modules(key: str) -> list[str]:
    """The modules that a tensor hangs in: "a" and "a.b" for "a.b.c"."""
    parts = key.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _make_part(part: str) -> str:
    part = re.sub(r"\W+", "_", part, flags=re.ASCII) or "_"
    return part if is_part(part) else f"{part}_"


def readable_names(nodes: Sequence[Node]) -> dict[str, str]:
    """New names by old: the module path a user knows, then the operation, then a number."""
    taken: set[str] = set()
    names = {}
    for node in nodes:
        parts = [node.path] if node.operation == WEIGHT else [node.path, _short(node.operation)]
        stem = re.sub(r"\W+", "_", "_".join(part for part in parts if part), flags=re.ASCII)
        stem = stem if is_identifier(stem) else f"n{stem}"
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name)
        names[node.name] = name
    return names


def _short(operation: str) -> str:
    """ "aten.batch_norm.default" is "batch_norm", "int.mul" is "mul"."""
    return operation.split(".")[1] if "." in operation else operation

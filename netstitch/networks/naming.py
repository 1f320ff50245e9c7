"""Names of nodes, after the module path that a user knows."""

import re
from collections.abc import Sequence

from netstitch.networks.graph import WEIGHT, Node
from netstitch.networks.keys import is_identifier


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

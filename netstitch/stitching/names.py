"""Names of networks as identifiers, which keys and nodes of subnetworks begin with."""

import re
from collections.abc import Sequence

from netstitch.networks.keys import is_part


def distinct_names(names: Sequence[str]) -> tuple[str, ...]:
    """Names as identifiers in lower case, numbered where two are equal.

    None is one that modules need for themselves, or that the supernet gives to other things.
    """
    found: list[str] = []
    for name in names:
        stem = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower() or "network"
        stem = f"n{stem}" if stem[0].isdigit() else stem
        reserved = ("stitches", "ensemble", "input")
        stem = f"{stem}_network" if stem in reserved or not is_part(stem) else stem
        number, distinct = 1, stem
        while distinct in found:
            number += 1
            distinct = f"{stem}_{number}"
        found.append(distinct)
    return tuple(found)

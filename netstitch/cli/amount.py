"""Amounts as people write them: 5M, 1.2G, 800k."""

import math
import re

from netstitch.errors import SearchError

_FACTORS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}


def parse_amount(text: str) -> float:
    """A positive number of multiply-adds; raises SearchError for anything else."""
    number = r"[0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?"
    found = re.fullmatch(rf"\s*({number})\s*([kmgt]?)\s*", text, re.IGNORECASE)
    if found is None or not 0 < float(found.group(1)) < math.inf:
        raise SearchError(f"{text!r} is no number of multiply-adds; expected such as 5M or 1.2G")
    return float(found.group(1)) * _FACTORS[found.group(2).lower()]

"""Amounts as people write them: 5M, 1.2G, 800k."""

import re

from netstitch.errors import SearchError

_FACTORS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}


def parse_amount(text: str) -> float:
    """A positive number of multiply-adds; raises SearchError for anything else."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?(?:e\d+)?)\s*([kmgt]?)\s*", text, re.IGNORECASE)
    if found is None or float(found.group(1)) == 0:
        raise SearchError(f"{text!r} is no number of multiply-adds; expected such as 5M or 1.2G")
    return float(found.group(1)) * _FACTORS[found.group(2).lower()]

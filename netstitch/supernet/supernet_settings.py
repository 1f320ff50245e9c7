"""Settings of a supernet: its output choices, its stitches, and its memory.

They are the table [supernet] of an experiment file.
"""

from math import inf
from typing import Literal

from pydantic import field_validator

from netstitch.errors import StitchingError
from netstitch.files.settings import Positive, Settings

MEMORY_BUDGET = 32_000_000_000
"""Bytes; four ResNet-50 of 175 points take 24 GB while they are refined (docs/networks.md)."""
SOURCES = 2
"""The most stitches to a point: all in a match of three networks."""

Listed = tuple[tuple[str, ...], ...]
"""Sets of networks by name."""


class SupernetSettings(Settings):
    """The settings of a supernet."""

    refusal = StitchingError
    called = "supernet"

    outputs: Literal["pairs", "greedy"] | Listed | None = None
    """The sets of networks whose mean may be the output: 'pairs' for each network, each pair, and
    all; 'greedy' for each network, all, and the sets that validation samples find best at their
    cost; or a list of lists of names. By default 'pairs' of up to four networks, and 'greedy' of
    more."""
    weights: Literal["equal", "fitted"] | tuple[float, ...] = "equal"
    """The weights of the networks in these means: 'equal', 'fitted' to the least cross-entropy of
    all of them on validation samples, or a list of a positive number for each network."""
    sources: Positive = SOURCES
    """The stitches to each point, at most: where a match joins more networks, those of the least
    closed-form error on training samples."""
    memory_budget: Positive = MEMORY_BUDGET
    """Bytes that networks and stitches may take while these are fitted and refined."""

    @field_validator("outputs", mode="before")
    @classmethod
    def _sets(cls, outputs: object) -> object:
        if outputs is None or outputs in ("pairs", "greedy"):
            return outputs
        if isinstance(outputs, list | tuple) and all(isinstance(o, list | tuple) for o in outputs):
            if not outputs:
                raise ValueError("expected one or more lists of names of networks")
            if all(isinstance(name, str) for one in outputs for name in one):
                return tuple(map(tuple, outputs))
        raise ValueError("expected 'pairs', 'greedy', or a list of lists of names of networks")

    @field_validator("weights", mode="before")
    @classmethod
    def _numbers(cls, weights: object) -> object:
        if weights in ("equal", "fitted"):
            return weights
        if isinstance(weights, list | tuple) and weights:
            numbers = [one for one in weights if type(one) in (int, float)]
            if len(numbers) == len(weights) and all(0 < one < inf for one in numbers):
                return tuple(map(float, numbers))
        raise ValueError("expected 'equal', 'fitted', or a list of a positive number each")

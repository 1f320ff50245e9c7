"""The two procedures that an experiment may start from, by name.

"netstitch" is this package's own: one point for those that differ by an affine map, least squares,
and refining. "paper" is that of the paper (sections 3 and 6), exactly: all points, as many matches
as there can be, stitches trained by Adam on the features' mean squared error, nothing refined, and
batch norms as the networks have them.
"""

from collections.abc import Mapping
from typing import Any

PAPER = "paper"

_PAPER: Mapping[str, Mapping[str, Any]] = {
    "matching": {"points": "all", "objective": "count"},
    "fit": {"method": "adam"},
    "refine": {"enabled": False},
    "evaluation": {"recalibrate": 0},
}
_IN_PART = ("evaluation",)
"""Tables with keys that are no matter of a procedure, such as the device."""


def with_procedure(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """An experiment's tables over those of the procedure that it names; its own keys come first.

    A [refine] table that says how to refine asks for it, unless it says enabled = false.
    """
    tables = _PAPER if experiment.get("procedure") == PAPER else {}
    filled = dict(experiment)
    for name, table in tables.items():
        given = experiment.get(name, {})
        if isinstance(given, Mapping) and not (name == "refine" and given):
            filled[name] = {**table, **given}
    return filled


def replaced(experiment: Mapping[str, Any], procedure: str) -> dict[str, Any]:
    """An experiment with the tables of a procedure in the place of its own."""
    changed = {**experiment, "procedure": procedure}
    for name, table in _PAPER.items():
        given = changed.pop(name, {})
        if name in _IN_PART:
            changed[name] = {**given, **table} if procedure == PAPER else given
    return changed

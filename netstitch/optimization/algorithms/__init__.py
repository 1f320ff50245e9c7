"""The search algorithms, one file each, and the registry of their names."""

from netstitch.optimization.algorithms.registry import (
    ALGORITHMS,
    Build,
    check_algorithm,
    check_settings,
    learns_from_all,
)

__all__ = ["ALGORITHMS", "Build", "check_algorithm", "check_settings", "learns_from_all"]

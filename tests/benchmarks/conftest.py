"""Benchmarks are scripts: what they import lies beside them."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True, scope="module")
def scripts() -> Iterator[None]:
    """Scripts are found by their names while a module's tests run."""
    folders = [str(BENCHMARKS), str(BENCHMARKS / "search")]
    sys.path[:0] = folders
    yield
    for folder in folders:
        sys.path.remove(folder)

"""A budget is a share of what is free, in a container too."""

from pathlib import Path

import pytest
import torch

from netstitch.errors import SearchError
from netstitch.evaluation import memory as module
from netstitch.evaluation.memory import SHARE, cache_budget, free_memory, whole_memory

CPU = torch.device("cpu")


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "_LIMITS", ((str(tmp_path / "max"), str(tmp_path / "current")),))
    return tmp_path


def test_of_a_container_its_limit_counts(container: Path) -> None:
    machine = whole_memory(CPU)
    (container / "max").write_text("1000000\n")
    (container / "current").write_text("400000\n")
    assert (whole_memory(CPU), free_memory(CPU)) == (1_000_000, 600_000)
    assert cache_budget(None) == int(SHARE * 600_000)
    (container / "max").write_text("max\n")
    assert whole_memory(CPU) == machine
    (container / "max").write_text("1000000\n")
    (container / "current").write_text("1400000\n")  # while it gives some back
    assert free_memory(CPU) == 0


def test_a_budget_is_taken_as_it_is_where_there_is_as_much(container: Path) -> None:
    assert cache_budget(0) == 0
    assert cache_budget(12345) == 12345
    with pytest.raises(SearchError, match="more than the memory that there is"):
        cache_budget(whole_memory(CPU) + 1)

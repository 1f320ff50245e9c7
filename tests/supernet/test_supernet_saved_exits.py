"""Exits that are written into the folder of a supernet."""

from pathlib import Path
from typing import Any

import pytest
import torch
from exit_examples import random_weights, segmenters

import netstitch as ns
from netstitch.errors import StorageError
from netstitch.stitching.exit import Exit
from netstitch.supernet import storage
from netstitch.supernet.supernet import Supernet


def given(supernet: Supernet, exits: int) -> Supernet:
    """The supernet with exits of random weights at the first points of its first network."""
    points = supernet.graphs[0].points[:exits]
    chosen = [Exit(0, (point.name,)) for point in points]
    supernet.set_exits(chosen, random_weights(supernet, chosen))
    return supernet


def loaded(folder: Path) -> Supernet:
    found = ns.load(folder)
    assert isinstance(found, Supernet)
    return found


def test_they_take_the_place_of_those_before(tmp_path: Path) -> None:
    supernet = segmenters()
    supernet.save(tmp_path / "s")
    assert loaded(tmp_path / "s").exits == ()
    for count in (2, 1, 0):
        given(supernet, count).save_exits(tmp_path / "s")
        found = loaded(tmp_path / "s")
        assert found.exits == supernet.exits
        assert len(found.exits) == count
        for key, weight in supernet.exit_weights().items():
            assert torch.equal(found.exit_weights()[key], weight)


@pytest.mark.parametrize("written", [0, 1, 2])
def test_whenever_the_writer_is_killed_a_reader_finds_a_supernet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """With the exits before, with none, or with those behind."""
    before, behind = given(segmenters(), 1), given(segmenters(), 2)
    before.save(tmp_path / "s")
    files = 0

    def kill_after(write: Any) -> Any:
        def writing(*arguments: Any) -> None:
            nonlocal files
            if files == written:
                raise SystemExit(137)
            files += 1
            write(*arguments)

        return writing

    for name in ("write_json", "write_weights"):
        monkeypatch.setattr(storage, name, kill_after(getattr(storage, name)))
    with pytest.raises(SystemExit):
        behind.save_exits(tmp_path / "s")
    assert files == written
    assert loaded(tmp_path / "s").exits == (before.exits if written == 0 else ())


def test_a_folder_of_no_supernet_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"supernet\.json is missing"):
        segmenters().save_exits(tmp_path)

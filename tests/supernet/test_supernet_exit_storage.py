"""Exits are saved and loaded with their supernet; what is damaged is named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from exit_examples import exit_outputs, random_weights, segmenters, with_exits
from safetensors.torch import load_file, save_file
from small_supernets import SIZE, small_supernet

import netstitch as ns
from netstitch.errors import StorageError
from netstitch.stitching.exit import Exit
from netstitch.supernet.storage import load_structure
from netstitch.supernet.supernet import Supernet

INPUTS = torch.randn(3, 2, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


def loaded(folder: Path) -> Supernet:
    found = ns.load(folder)
    assert isinstance(found, Supernet)
    return found


@pytest.fixture(scope="module")
def fitted() -> Supernet:
    supernet = small_supernet()
    supernet.fit_exits([torch.randn(300, 2, SIZE, SIZE)])
    return supernet


@pytest.fixture
def folder(fitted: Supernet, tmp_path: Path) -> Path:
    fitted.save(tmp_path / "supernet")
    return tmp_path / "supernet"


def test_fitted_exits_come_back_to_the_bit(fitted: Supernet, folder: Path) -> None:
    again = loaded(folder)
    assert again.exits == fitted.exits
    assert again.exit_report == fitted.exit_report
    assert all(map(torch.equal, exit_outputs(again, INPUTS), exit_outputs(fitted, INPUTS)))
    assert [again.macs(one) for one in again.exits] == [fitted.macs(one) for one in fitted.exits]
    assert load_structure(folder).names == fitted.names


def test_exits_given_by_hand_come_back_without_a_report(tmp_path: Path) -> None:
    supernet = with_exits(small_supernet())
    supernet.save(tmp_path / "supernet")
    again = loaded(tmp_path / "supernet")
    assert (again.exits, again.exit_report) == (supernet.exits, None)
    assert all(map(torch.equal, exit_outputs(again, INPUTS), exit_outputs(supernet, INPUTS)))


def test_the_output_that_exits_stand_for_comes_back(tmp_path: Path) -> None:
    supernet = segmenters()
    one = Exit(0, (supernet.graphs[0].points[1].name,))
    supernet.set_exits([one], random_weights(supernet, [one]))
    supernet.save(tmp_path / "supernet")
    images = torch.randn(2, 3, 16, 16)
    [found], [expected] = (
        exit_outputs(each, images) for each in (loaded(tmp_path / "supernet"), supernet)
    )
    assert torch.equal(found, expected)


def test_a_fit_that_keeps_no_exit_comes_back(fitted: Supernet, tmp_path: Path) -> None:
    supernet = small_supernet()
    supernet.set_exits([], {})
    assert fitted.exit_report is not None
    rows = tuple(r for r in fitted.exit_report.rows if r.fate == "dominated")
    supernet.exit_report = fitted.exit_report.model_copy(update={"rows": rows})
    supernet.save(tmp_path / "supernet")
    again = loaded(tmp_path / "supernet")
    assert (again.exits, again.exit_report) == ((), supernet.exit_report)


def test_folders_of_earlier_versions_have_no_exits(folder: Path) -> None:
    document = json.loads((folder / "supernet.json").read_text())
    del document["exits"]
    (folder / "supernet.json").write_text(json.dumps(document))
    for name in ("exits.safetensors", "exits.json"):
        (folder / name).unlink()
    assert loaded(folder).exits == ()
    small_supernet().save(folder.parent / "without")
    assert not list((folder.parent / "without").glob("exits*"))


def test_weights_that_are_missing_or_of_other_exits_are_named(folder: Path) -> None:
    path = folder / "exits.safetensors"
    weights = load_file(path)
    key = next(iter(weights))
    save_file({**weights, key: weights[key][..., :-1].contiguous()}, path)
    with pytest.raises(StorageError, match=rf"exits.safetensors is damaged: .*{key} has shape"):
        ns.load(folder)
    path.unlink()
    with pytest.raises(StorageError, match=r"exits.safetensors is missing"):
        ns.load(folder)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda exits: exits["exits"][0].update(network=7), "an exit is of network 7"),
        (lambda exits: exits["exits"][0].update(points=["x"]), "wide has no point 'x'"),
        (lambda exits: exits["exits"][0].update(points=3), "exits.exits.0.points is 3"),
        (lambda exits: exits.update(output="logits"), "do not have 'logits'"),
        (lambda exits: exits["exits"].append(exits["exits"][0]), "stands twice"),
    ],
)
def test_edited_exits_are_named(
    folder: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    document = json.loads((folder / "supernet.json").read_text())
    change(document["exits"])
    (folder / "supernet.json").write_text(json.dumps(document))
    with pytest.raises(StorageError, match=rf"supernet.json is damaged: .*{message}"):
        ns.load(folder)


def test_an_edited_report_is_named(folder: Path) -> None:
    path = folder / "exits.json"
    document = json.loads(path.read_text())
    rows = document["rows"]
    document["rows"] = [row for row in rows if row["fate"] == "dominated"]
    path.write_text(json.dumps(document))
    with pytest.raises(StorageError, match=r"exits.json is damaged: the exits that it says are"):
        ns.load(folder)
    document["rows"] = [{**rows[0], "agreement": 2}, *rows[1:]]
    path.write_text(json.dumps(document))
    with pytest.raises(StorageError, match=r"exits.json is damaged: rows.0.agreement is 2"):
        ns.load(folder)

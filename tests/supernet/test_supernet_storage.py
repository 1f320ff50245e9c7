"""Supernets and subnetworks on disk: they come back as they were, or are refused in one line."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from small_supernets import three_networks
from supernet_examples import images, matching, networks, supernet
from torch import fx

import netstitch as ns
from netstitch.errors import StorageError
from netstitch.exporting import json_format
from netstitch.matching import Match, Matching
from netstitch.networks import Network
from netstitch.stitching import Averaging
from netstitch.supernet import storage
from netstitch.supernet.supernet import Supernet


@pytest.fixture(scope="module")
def s() -> Supernet:
    made = supernet()
    made.fit([images(8), images(9)])
    return made


@pytest.fixture
def folder(s: Supernet, tmp_path: Path) -> Path:
    s.save(tmp_path / "saved")
    return tmp_path / "saved"


def refused(folder: Path) -> str:
    with pytest.raises(StorageError) as caught:
        ns.load(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rewrite(path: Path, change: Any) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


GENOTYPES = [[0, 0, 0, 0, 0, 0, 2], [1, 0, 1, 1, 0, 1, 2], [0, 1, 1, 0, 1, 0, 0]]


def test_a_supernet_comes_back_as_it_was(s: Supernet, folder: Path) -> None:
    loaded = ns.load(folder)
    assert isinstance(loaded, Supernet)
    assert loaded.graphs == s.graphs
    assert loaded.board == s.board
    assert loaded.matching == s.matching
    assert loaded.names == s.names
    assert loaded.averaging == s.averaging
    assert loaded.fit_report == s.fit_report
    assert loaded.fit_report is not None
    for genotype in GENOTYPES:
        assert torch.equal(loaded(images(5), genotype), s(images(5), genotype))
        assert loaded.macs(genotype) == s.macs(genotype)
        assert loaded.signature(genotype) == s.signature(genotype)
    assert not any(p.requires_grad for p in loaded.parameters())


def test_settings_of_the_ensemble_and_of_outputs_come_back(tmp_path: Path) -> None:
    averaging = Averaging("probabilities", (1.0, 3.0))
    made = Supernet(networks(), matching(), averaging=averaging, outputs=[[1], [1, 0]])
    made.save(tmp_path / "s")
    loaded = ns.load(tmp_path / "s")
    assert isinstance(loaded, Supernet)
    assert loaded.averaging == averaging
    assert loaded.outputs == ("b", "ensemble")
    assert loaded.fit_report is None
    assert torch.equal(loaded(images()), made(images()))


def test_whether_stitches_were_fitted_comes_back(s: Supernet, folder: Path, tmp_path: Path) -> None:
    def fitted(saved: Path) -> bool:
        loaded = ns.load(saved)
        assert isinstance(loaded, Supernet)
        return loaded.fitted

    made = supernet()
    made.save(tmp_path / "never")
    made.set_stitches(s.stitch_weights())
    made.save(tmp_path / "by hand")
    assert not fitted(tmp_path / "never")
    assert fitted(tmp_path / "by hand")
    assert fitted(folder)
    # Older folders do not say it: their stitches were fitted where there is a report of it.
    for saved in (folder, tmp_path / "never"):
        rewrite(saved / "supernet.json", lambda document: document.pop("fitted"))
    assert fitted(folder)
    assert not fitted(tmp_path / "never")


def test_directions_of_matches_come_back(tmp_path: Path) -> None:
    rows = [Match(("relu", "relu"), ((1, 0),)), Match(("mean", "mean"))]
    made = Supernet(networks(), Matching(tuple(rows), 2, 2, "by hand"))
    assert [(s.source.network, s.target.network) for s in made.stitches] == [(1, 0), (0, 1), (1, 0)]
    assert made.cardinalities == (2, 2, 2, 3)
    made.save(tmp_path / "s")
    loaded = ns.load(tmp_path / "s")
    assert isinstance(loaded, Supernet)
    assert loaded.board == made.board
    assert loaded.matching == made.matching


def test_matches_of_three_networks_come_back(tmp_path: Path) -> None:
    made = three_networks()
    made.save(tmp_path / "s")
    loaded = ns.load(tmp_path / "s")
    assert isinstance(loaded, Supernet)
    assert loaded.board == made.board
    assert [len(match.members) for match in loaded.matching] == [3, 2]
    assert loaded.cardinalities == (3, 3, 3, 2, 2, 7)
    structure = storage.load_structure(tmp_path / "s")
    x = torch.rand(3, *(int(size) for size in (made.graphs[0].input.shape or ())[1:]))
    for genotype in ([1, 2, 0, 1, 0, 6], [0, 2, 1, 0, 1, 4], [2, 0, 0, 0, 1, 3]):
        assert torch.equal(loaded(x, genotype), made(x, genotype))
        assert structure.reachability.signature(np.array(genotype)) == made.signature(genotype)
        assert structure.reachability.multiply_adds(np.array(genotype)) == made.macs(genotype)


def test_a_network_is_loaded_by_the_same_function(folder: Path, s: Supernet) -> None:
    loaded = ns.load(folder / "networks" / "0")
    assert isinstance(loaded, Network)
    assert loaded.graph == s.graphs[0]


def test_the_supernet_of_a_run_is_found(s: Supernet, tmp_path: Path) -> None:
    s.save(tmp_path / "run" / "supernet")
    assert isinstance(ns.load(str(tmp_path / "run")), Supernet)


@pytest.fixture
def exported(s: Supernet, tmp_path: Path) -> Path:
    graph, weights = s.subnetwork_graph(GENOTYPES[1])
    (tmp_path / "sub").mkdir()
    json_format.write_subnetwork(tmp_path / "sub", graph, weights, {"accuracy": 0.5})
    return tmp_path / "sub"


def test_a_subnetwork_comes_back_and_trains(s: Supernet, exported: Path) -> None:
    loaded = ns.load(exported)
    assert isinstance(loaded, fx.GraphModule)
    assert torch.equal(loaded(images(5)), s(images(5), GENOTYPES[1]))
    assert all(p.requires_grad for p in loaded.parameters())
    loaded(images()).sum().backward()
    document = json.loads((exported / json_format.SUBNETWORK_FILE).read_text())
    assert document["card"] == {"accuracy": 0.5}


def test_an_existing_folder_is_left_alone(s: Supernet, folder: Path) -> None:
    with pytest.raises(StorageError, match="not empty"):
        s.save(folder)
    assert isinstance(ns.load(folder), Supernet)


def test_nothing_is_written_when_the_disk_is_full(
    s: Supernet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="no space left on device"):
        s.save(tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_a_folder_that_holds_nothing(tmp_path: Path, name: str) -> None:
    assert "holds no network, supernet or subnetwork" in refused(tmp_path / name)


# -- what is planted, and damage

FILES = [
    "supernet.json", "stitches.safetensors", "fit.json", "networks/0/graph.json",
    "networks/1/weights.safetensors",
]  # fmt: skip


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("folder", [None, 3, ["run"]])
def test_what_is_no_path(folder: Any, s: Supernet) -> None:
    for use in (ns.load, s.save):
        with pytest.raises(StorageError, match=r"give a path, as text or a pathlib\.Path"):
            use(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_pickle_in_place_of_any_file_is_not_opened(
    folder: Path, tmp_path: Path, name: str
) -> None:
    marker = tmp_path / "marker"
    (folder / name).write_bytes(pickle.dumps(Trap(marker)))
    assert name in refused(folder)
    torch.save(Trap(marker), folder / name)
    assert name in refused(folder)
    assert not marker.exists()


@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    assert name in refused(folder)


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("fit.json", FILES[0])])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{name} is missing" in refused(folder)


def test_a_supernet_without_fit_report_loads(folder: Path) -> None:
    (folder / "fit.json").unlink()
    loaded = ns.load(folder)
    assert isinstance(loaded, Supernet)
    assert loaded.fit_report is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("names", ["a"]), ("names", "ab"), ("names", 2), ("names", ["../../x", "b"]), ("names", []),
        ("names", ["a", "b", "c"]), ("names", ["b", "a"]), ("matches", None), ("matches", "ab"),
        ("matches", ["ab"]), ("matches", [["relu"]]), ("matches", [["relu", "nobody"]]),
        ("matches", [["relu", 1]]), ("matches", [["relu", "relu"]] * 2), ("weight", "x"),
        ("matches", [["relu", "bn2_batch_norm"], ["relu_2", "relu"]]),
        ("directions", [None]), ("directions", 3), ("directions", [[[0, 1]], [[0, 2]], None]),
        ("directions", [[[0, 0]], None, None]), ("directions", [[[0]], None, None]),
        ("weight", None), ("weight", 10**400), ("outputs", [[5]]), ("outputs", 3), ("outputs", []),
        ("ensemble", None), ("ensemble", {"rule": "votes", "weights": None}),
        ("ensemble", {"rule": "logits", "weights": [1, 0]}), ("ensemble", {"rule": "logits"}),
        ("ensemble", {"rule": ["logits"], "weights": None}), ("format", "netstitch-supernet-9"),
    ],
)  # fmt: skip
def test_a_field_that_is_wrong(folder: Path, field: str, value: Any) -> None:
    rewrite(folder / "supernet.json", lambda d: d.update({field: value}))
    assert "supernet.json" in refused(folder) or field == "names"


@pytest.mark.parametrize("change", ["missing", "surplus", "shape"])
def test_stitches_that_are_not_the_supernets(folder: Path, change: str) -> None:
    path = folder / "stitches.safetensors"
    weights = load_file(path)
    key = min(weights)
    if change == "missing":
        del weights[key]
    elif change == "surplus":
        weights[f"{key}x"] = torch.zeros(1)
    else:
        weights[key] = torch.zeros(1)
    save_file(weights, path)
    assert key in refused(folder)


@pytest.mark.parametrize("value", [None, 3, [1], [{"match": 0}]])
def test_a_fit_report_that_is_none(folder: Path, value: Any) -> None:
    rewrite(folder / "fit.json", lambda d: d.update(rows=value))
    refused(folder)


def test_code_in_a_subnetwork_is_refused(exported: Path) -> None:
    path = exported / json_format.SUBNETWORK_FILE
    original = path.read_text()
    for change in ({"name": "x; import os"}, {"operation": "os.system"}, {"kwargs": {"a b": 1}}):
        rewrite(path, lambda d, change=change: d["nodes"][-1].update(change))
        assert json_format.SUBNETWORK_FILE in refused(exported)
        path.write_text(original)


STRANGE = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False), st.text(max_size=3),
    st.sampled_from([[], {}, "relu", [[0, 1]], [["relu", "relu"]]]),
)  # fmt: skip


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_supernet_changed_anywhere_loads_or_is_refused(folder: Path, data: st.DataObject) -> None:
    path = folder / data.draw(st.sampled_from(["supernet.json", "fit.json"]))
    original = path.read_text()
    document = json.loads(original)
    container, key = document, data.draw(st.sampled_from(sorted(document)))
    while isinstance(container[key], list | dict) and container[key] and data.draw(st.booleans()):
        container = container[key]
        keys = sorted(container) if isinstance(container, dict) else range(len(container))
        key = data.draw(st.sampled_from(keys))
    container[key] = data.draw(STRANGE)
    try:
        path.write_text(json.dumps(document))
        ns.load(folder)
    except StorageError as error:
        lines = str(error).splitlines()
    else:
        lines = ["loaded"]
    finally:
        path.write_text(original)
    assert len(lines) == 1

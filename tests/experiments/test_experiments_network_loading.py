import os
from pathlib import Path

import pytest

from netstitch.errors import WeightsError
from netstitch.experiments.experiment import NetworkTable
from netstitch.experiments.network_loading import weights_in

SMALL = NetworkTable(model="models.py:small", name="small")


def refused(folder):
    with pytest.raises(WeightsError) as caught:
        weights_in(folder, SMALL)
    assert str(folder) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "ending", [".safetensors", ".pth", ".pt", ".bin", ".th", ".ckpt", ".pth.tar", ".PTH", ".Pt"]
)
@pytest.mark.parametrize("name", ["small", "small-11ad3fa6", "small_best.v2"])
def test_files_of_all_endings_are_found_by_name(tmp_path, name, ending):
    for other in ("smaller.pth", "other.pth", "small.toml", f"._{name}{ending}"):
        (tmp_path / other).touch()
    (tmp_path / f"{name}{ending}").touch()
    assert weights_in(tmp_path, SMALL) == tmp_path / f"{name}{ending}"


def test_the_exact_name_comes_first(tmp_path):
    for name in ("small.pth.tar", "small_ema.pth.tar", "small-1.safetensors"):
        (tmp_path / name).touch()
    assert weights_in(tmp_path, SMALL).name == "small.pth.tar"


def test_more_than_one_is_refused_and_named(tmp_path):
    for name in ("small.pth", "small.CKPT"):
        (tmp_path / name).touch()
    message = refused(tmp_path)
    assert "small.CKPT, small.pth of network 'small'" in message
    assert "one of them" in message


def test_names_that_are_not_utf_8(tmp_path):
    odd = Path(os.fsdecode(b"small-\xff.pth"))
    (tmp_path / odd).touch()
    assert weights_in(tmp_path, SMALL) == tmp_path / odd
    (tmp_path / "small-1.pth").touch()
    assert "small-\\xff.pth" in refused(tmp_path)


def test_none_is_refused_with_what_is_expected(tmp_path):
    assert "expected small.safetensors or small.pth" in refused(tmp_path)
    assert "is no folder" in refused(tmp_path / "lost")

"""Shipped experiments are found by name, whatever else has that name."""

from pathlib import Path

import pytest

from netstitch.errors import ExperimentError
from netstitch.experiments.shipping import SHIPPED, find_experiment, shipped


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_folder_of_that_name_does_not_hide_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    assert find_experiment(name) == SHIPPED / f"{name}.toml"


def test_a_file_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "voc").touch()
    assert find_experiment("voc") == Path("voc")


def test_the_nearest_name_is_told() -> None:
    with pytest.raises(ExperimentError, match="did you mean 'imagenet-a'"):
        find_experiment("imagnet-a")

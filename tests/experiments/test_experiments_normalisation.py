"""Networks that were trained on images of another normalisation than the task's are told of."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from netstitch.experiments import load_task, other_images, read_experiment
from netstitch.networks.sources.model_sources import load_model

HALF = "[0.5, 0.5, 0.5]"
MODELS = """
from torch import nn

def plain():
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 2))

def own():
    made = plain()
    made.pretrained_cfg = {
        "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "input_size": (3, 8, 8)
    }
    return made
"""
TEXT = """
[[networks]]
model = "models.py:plain"
[[networks]]
model = "models.py:own"
[task]
classes = 2
[task.images]
size = 8
[task.training]
source = "images"
[task.validation]
source = "images"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NETSTITCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "models.py").write_text(MODELS)
    random = np.random.default_rng(0)
    bytes_ = random.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    for index, image in enumerate(bytes_):
        place = tmp_path / "images" / "ab"[index % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{index}.png")
    labels = np.arange(6) % 2
    np.savez(tmp_path / "bytes.npz", inputs=bytes_, labels=labels)
    floats = random.normal(size=(6, 8, 8, 3)).astype(np.float32)
    np.savez(tmp_path / "floats.npz", inputs=floats, labels=labels)
    return tmp_path


def told(folder: Path, *changes: tuple[str, str]) -> list[str]:
    """Lines about the second network, of the file with text replaced."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "e.toml").write_text(text)
    asked = read_experiment(folder / "e.toml")
    models = [
        (network.name, load_model(network.model, folder=folder)) for network in asked.networks
    ]
    found = list(other_images(asked, models, load_task(asked)))
    assert not any("\n" in line for line in found)
    return found


def test_a_normalisation_that_is_not_the_tasks_is_told_with_what_to_write(folder: Path) -> None:
    [line] = told(folder)
    assert line.startswith("network 'own' was trained on images of mean [0.5, 0.5, 0.5]")
    assert "the task's have mean [0.485, 0.456, 0.406] and std [0.229, 0.224, 0.225]" in line
    table = f"images = {{mean = {HALF}, std = {HALF}}}"
    assert table in line
    # What it says to write is read, and settles it.
    assert told(folder, ('"models.py:own"', f'"models.py:own"\n{table}')) == []


def test_the_same_normalisation_is_not_told_of(folder: Path) -> None:
    assert told(folder, ("size = 8", f"size = 8\nmean = {HALF}\nstd = {HALF}")) == []


def test_a_size_far_from_the_networks_is_told_of(folder: Path) -> None:
    changes = ("size = 8", f"size = 8\nmean = {HALF}\nstd = {HALF}")
    code = (folder / "models.py").read_text()
    (folder / "models.py").write_text(code.replace("(3, 8, 8)", "(3, 10, 10)"))
    assert told(folder, changes) == []
    (folder / "models.py").write_text(code.replace("(3, 8, 8)", "(3, 32, 32)"))
    [line] = told(folder, changes)
    assert "of 32 pixels, and the task's have" in line
    assert "of 8 pixels" in line
    assert f"std = {HALF}, size = 32}}" in line


def test_arrays_of_bytes_are_told_of_and_floats_are_what_the_user_made(folder: Path) -> None:
    def of(name: str) -> list[str]:
        return told(folder, ('"images"', f'"{name}.npz"'), ("size = 8", 'arrays = "nhwc"'))

    [line] = of("bytes")
    assert "mean [0.5, 0.5, 0.5]" in line
    assert of("floats") == []


def test_what_timm_says_of_its_weights_counts_where_there_are_weights(folder: Path) -> None:
    pytest.importorskip("timm")
    model = ("models.py:own", "timm:test_convnext")
    assert told(folder, model) == []  # random weights know no images
    state = load_model("timm:test_convnext").state_dict()
    save_file(state, folder / "w.safetensors")
    [line] = told(folder, (model[0], f'{model[1]}"\nweights = "w.safetensors'))
    assert "network 'test_convnext' was trained on images of mean [0.5, 0.5, 0.5]" in line
    assert "by the settings of its model" in line
    assert "or with the mean and std that its weights were trained with" in line


def test_weights_of_a_file_may_be_of_another_size_than_the_models_settings(folder: Path) -> None:
    # As those that were trained on small images: no reason to be warned of.
    pytest.importorskip("timm")
    state = load_model("timm:test_convnext").state_dict()
    save_file(state, folder / "w.safetensors")
    model = ("models.py:own", 'timm:test_convnext"\nweights = "w.safetensors')
    assert told(folder, model, ("size = 8", f"size = 8\nmean = {HALF}\nstd = {HALF}")) == []
    [line] = told(folder, model)
    assert "size =" not in line


def test_torchvisions_weights_say_what_they_were_trained_on(folder: Path) -> None:
    save_file(load_model("torchvision:resnet18").state_dict(), folder / "w.safetensors")
    changes = [
        ("models.py:own", 'torchvision:resnet18"\nweights = "w.safetensors'),
        ("size = 8", f"size = 8\nmean = {HALF}\nstd = {HALF}"),
    ]
    [line] = told(folder, *changes)
    assert "network 'resnet18' was trained on images of mean [0.485, 0.456, 0.406]" in line
    assert "size =" not in line  # which is not the same of all its weights

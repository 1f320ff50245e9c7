import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from netstitch.errors import CaptureError, WeightsError
from netstitch.networks.sources.model_sources import load_model, origin_of

MODELS = """
import torch
from torch import nn
from layers import width

def small():
    return nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Dropout())

def broken():
    raise RuntimeError("no such\\nthing")

def quits():
    raise SystemExit(1)

def needs(argument):
    return argument

def number():
    return 3

instance = nn.Linear(3, 4)
constant = 5
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "layers.py").write_text("width = 4\n")
    yield tmp_path
    sys.modules.pop("layers", None)


def refused(spec, folder):
    with pytest.raises(CaptureError) as caught:
        load_model(spec, folder=folder)
    message = str(caught.value)
    assert "\n" not in message
    assert spec.partition(":")[2] in message
    return message


def test_a_function_of_a_file_that_imports_its_neighbour(folder):
    before = list(sys.path)
    model = load_model("models.py:small", folder=folder)
    assert model(torch.zeros(2, 3)).shape == (2, 4)
    assert not model.training
    assert sys.path == before


def test_a_path_may_be_absolute(folder):
    assert isinstance(load_model(f"{folder}/models.py:small"), nn.Sequential)


def test_two_files_of_one_name_are_different_models(folder, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "models.py").write_text("from torch import nn\ndef small(): return nn.ReLU()\n")
    assert isinstance(load_model("models.py:small", folder=folder), nn.Sequential)
    assert isinstance(load_model("models.py:small", folder=other), nn.ReLU)


def test_a_function_of_a_module_beside_the_experiment(tmp_path):
    package = tmp_path / "my_package_of_models"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "nets.py").write_text("from torch import nn\ndef net(): return nn.Tanh()\n")
    assert isinstance(load_model("my_package_of_models.nets:net", folder=tmp_path), nn.Tanh)


def test_a_class_is_called_like_a_function():
    assert isinstance(load_model("torch.nn:ReLU"), nn.ReLU)
    assert isinstance(load_model("python:torch.nn:ReLU"), nn.ReLU)


@pytest.mark.parametrize(
    "spec, expected",
    [
        ("models.py", "names no function"),
        ("missing.py:small", "there is no file"),
        ("no_such_package.nets:net", "no module 'no_such_package'"),
        ("models.py:smal", "did you mean 'small'"),
        ("models.py:constant", "is a int, not a function"),
        ("models.py:instance", "is a Linear, not a function"),
        ("models.py:number", "returned a int; expected a torch.nn.Module"),
        ("models.py:needs", "missing 1 required positional argument"),
        ("models.py:quits", "SystemExit"),
        ("some/folder:net", "neither a .py file nor a module"),
    ],
)
def test_what_a_wrong_source_gets(folder, spec, expected):
    assert expected in refused(spec, folder)


def test_an_error_inside_is_told_with_its_line(folder):
    message = refused("models.py:broken", folder)
    assert "RuntimeError: no such thing" in message
    assert "models.py:10: `raise RuntimeError" in message


def test_a_file_that_is_no_python(folder):
    (folder / "typo.py").write_text("x = 1\ndef f(:\n")
    assert "typo.py:2: invalid syntax" in refused("typo.py:f", folder)


def test_an_import_that_fails_inside_is_not_taken_for_the_module(folder):
    (folder / "importing.py").write_text("import no_such_dependency\n")
    message = refused("importing:net", folder)
    assert "ModuleNotFoundError" in message
    assert "no_such_dependency" in message


@pytest.mark.parametrize("spec", ["torchvision:resnet18", "timm:resnet10t"])
def test_libraries_build_without_weights(spec):
    if spec.startswith("timm"):
        pytest.importorskip("timm")
    assert isinstance(load_model(spec), nn.Module)


@pytest.mark.parametrize(
    "spec, expected",
    [
        ("torchvision:resnet81", "did you mean 'resnet18'?"),
        ("timm:rsnet50", "did you mean 'resnet50'?"),
        ("timm:hf-hub:somebody/model", "timm has no model"),  # would look on the network
    ],
)
def test_an_unknown_name_gets_the_nearest(tmp_path, spec, expected):
    if spec.startswith("timm"):
        pytest.importorskip("timm")
    assert expected in refused(spec, tmp_path)


def test_a_segmentation_model_does_not_download_its_backbone(monkeypatch):
    def download(*arguments, **settings):
        raise AssertionError("download")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", download)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    assert isinstance(load_model("torchvision:lraspp_mobilenet_v3_large"), nn.Module)


def test_without_timm_the_message_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "timm", None)
    assert "pip install 'netstitch[timm]'" in refused("timm:resnet18", tmp_path)


def test_weights_are_loaded_from_the_folder(folder):
    trained = load_model("models.py:small", folder=folder)
    save_file(trained.state_dict(), folder / "small.safetensors")
    loaded = load_model("models.py:small", "small.safetensors", folder=folder)
    inputs = torch.rand(5, 3)
    assert torch.equal(loaded(inputs), trained(inputs))


def test_weights_that_do_not_fit_are_an_error(folder):
    save_file({"other": torch.zeros(1)}, folder / "other.safetensors")
    with pytest.raises(WeightsError, match=r"other\.safetensors does not fit Sequential"):
        load_model("models.py:small", "other.safetensors", folder=folder)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No network, and no weights downloaded before."""

    def refused(*args, **settings):
        raise OSError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refused)
    return tmp_path / "torch" / "hub" / "checkpoints"


def test_the_own_weights_of_torchvision_are_those_that_were_downloaded(offline):
    plain = load_model("torchvision:shufflenet_v2_x0_5")
    state = {key: torch.rand_like(value.float()) for key, value in plain.state_dict().items()}
    offline.mkdir(parents=True)
    torch.save(state, offline / "shufflenetv2_x0.5-f707e7126e.pth")
    model = load_model("torchvision:shufflenet_v2_x0_5", "pretrained")
    assert torch.equal(model.conv5[0].weight, state["conv5.0.weight"])
    assert not model.training


def test_a_tag_names_which_own_weights_of_torchvision_are_taken(offline):
    plain = load_model("torchvision:resnet18.IMAGENET1K_V1")  # built as without a tag
    offline.mkdir(parents=True)
    torch.save(plain.state_dict(), offline / "resnet18-f37072fd.pth")
    model = load_model("torchvision:resnet18.IMAGENET1K_V1", "pretrained")
    assert torch.equal(model.fc.weight, plain.fc.weight)
    with pytest.raises(WeightsError, match=r"no weights 'IMAGENET1K_V9' for 'resnet50'; did you"):
        load_model("torchvision:resnet50.IMAGENET1K_V9", "pretrained")
    assert origin_of("torchvision:resnet50.IMAGENET1K_V1").endswith("resnet50-0676ba61.pth")
    assert origin_of("torchvision:resnet50").endswith("resnet50-11ad3fa6.pth")


def test_own_weights_that_cannot_be_downloaded_are_one_line(offline):
    for name in ("shufflenet_v2_x0_5", "deeplabv3_mobilenet_v3_large"):
        with pytest.raises(WeightsError, match="no route to host") as caught:
            load_model(f"torchvision:{name}", "pretrained")
        assert f"the weights of 'torchvision:{name}' cannot be had" in str(caught.value)
        assert "connect to the network once, or give a file of them" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_own_weights_of_timm_are_asked_of_it(monkeypatch):
    timm = pytest.importorskip("timm")
    asked = []

    def create(name, pretrained):
        asked.append((name, pretrained))
        if name == "resnet18":
            raise RuntimeError("the hub\ndoes not answer")
        return nn.Identity()

    monkeypatch.setattr(timm, "create_model", create)
    load_model("timm:resnet10t", "pretrained")
    with pytest.raises(WeightsError, match="'timm:resnet18' cannot be had"):
        load_model("timm:resnet18", "pretrained")
    assert asked == [("resnet10t", True), ("resnet18", True)]


def test_what_has_no_weights_of_its_own(folder, monkeypatch):
    with pytest.raises(WeightsError, match="has no weights that are 'pretrained'"):
        load_model("nets.py:wide", "pretrained", folder=folder)
    timm = pytest.importorskip("timm")
    monkeypatch.setattr(timm, "is_model_pretrained", lambda name: False)
    with pytest.raises(WeightsError, match="timm has no weights for 'resnet18'; give a file"):
        load_model("timm:resnet18", "pretrained")


@pytest.mark.slow
def test_a_head_that_only_training_needs_may_be_in_the_file(tmp_path: Path) -> None:
    from torchvision.models import get_model

    name, none = "deeplabv3_mobilenet_v3_large", {"weights": None, "weights_backbone": None}
    for head in (True, False):
        stored = get_model(name, **none, aux_loss=head).state_dict()
        torch.save(stored, tmp_path / "file.pth")
        model = load_model(f"torchvision:{name}", tmp_path / "file.pth")
        assert model.state_dict().keys() == stored.keys()

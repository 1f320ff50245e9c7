import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from netstitch.errors import CaptureError, DataError, NetstitchError, WeightsError
from netstitch.events import Advanced
from netstitch.experiments import (
    find_images,
    find_weights,
    load_experiment,
    load_models,
    load_task,
    read_experiment,
)
from netstitch.tasks import image_folder

MODELS = """
from torch import nn

def wide():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3))

def narrow():
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 3))
"""

DATA = """
import numpy as np
import torch
from torch.utils.data import TensorDataset

def pair():
    return np.zeros((9, 3, 2, 2), np.float32), np.arange(9) % 3

def dataset():
    return TensorDataset(torch.arange(9.0).repeat(12, 1).T.reshape(9, 3, 2, 2), torch.arange(9) % 3)

def nothing():
    return None

def fails():
    return open("/no/such/file")
"""

TEXT = """
[[networks]]
model = "models.py:wide"
weights = "wide.safetensors"
[[networks]]
model = "models.py:narrow"
weights = "narrow.pt"
[task]
classes = 3
[task.training]
source = "train.npz"
[task.validation]
source = "val.npz"
"""


def write_arrays(path, count, labels=3, shape=(3, 2, 2)):
    generator = np.random.default_rng(count)
    inputs = generator.normal(size=(count, *shape)).astype(np.float32)
    np.savez(path, inputs=inputs, labels=np.arange(count) % labels)
    return inputs


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "models.py").write_text(MODELS)
    (tmp_path / "data.py").write_text(DATA)
    (tmp_path / "e.toml").write_text(TEXT)
    write_arrays(tmp_path / "train.npz", 20)
    write_arrays(tmp_path / "val.npz", 10)
    torch.manual_seed(0)
    wide = torch.nn.Sequential(*(torch.nn.Flatten(), torch.nn.Linear(12, 8)))
    save_file(
        {"1.weight": wide[1].weight.detach(), "1.bias": torch.zeros(8)}
        | {"3.weight": torch.ones(3, 8), "3.bias": torch.zeros(3)},
        tmp_path / "wide.safetensors",
    )
    narrow = {"1.weight": torch.ones(4, 12), "1.bias": torch.zeros(4)}
    narrow |= {"3.weight": torch.ones(3, 4), "3.bias": torch.zeros(3)}
    torch.save(narrow, tmp_path / "narrow.pt")
    return tmp_path


def changed(folder, old="", new=""):
    assert old in TEXT
    (folder / "e.toml").write_text(TEXT.replace(old, new, 1))
    return read_experiment(folder / "e.toml")


def refused(error, load, experiment):
    with pytest.raises(NetstitchError) as caught:
        load(experiment)
    assert caught.type is error
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_models_and_samples_of_an_experiment(folder):
    experiment = changed(folder)
    task, models = load_task(experiment), load_models(experiment)
    assert [name for name, _ in models] == ["wide", "narrow"]
    assert (len(task.training), len(task.validation), task.test) == (20, 10, None)
    example = task.validation.inputs[:2]
    for _, model in models:
        assert model(example).shape == (2, 3)
    assert torch.equal(models[1][1][1].weight, torch.ones(4, 12))


def test_a_task_may_declare_views(folder):
    assert not load_task(changed(folder)).views.some
    table = "[task.views]\npadding = 1\nflip = true\n[task.training]"
    views = load_task(changed(folder, "[task.training]", table)).views
    assert (views.padding, views.fill, views.flip) == (1, "edge", True)


def test_only_the_parts_that_are_asked_for_are_read(folder):
    read = set()
    models, task = load_experiment(
        changed(folder), lambda event: read.add(event.text), ["validation"]
    )
    assert [name for name, _ in models] == ["wide", "narrow"]
    assert (len(task.validation), task.training) == (10, None)
    assert read == {"validation"}


def test_the_current_folder_does_not_matter(folder, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    experiment = changed(folder)
    assert len(load_models(experiment)) == 2
    assert len(load_task(experiment).validation) == 10


def test_a_limit_keeps_classes_even(folder):
    experiment = changed(folder, 'source = "train.npz"', 'source = "train.npz"\nlimit = 6')
    assert load_task(experiment).training.labels.bincount().tolist() == [2, 2, 2]


@pytest.mark.parametrize("limit", [None, 6])
def test_samples_to_confirm_on_are_others_than_those_to_search_on(folder, limit):
    """Validation stays what it is without them, where a limit says how many."""
    more = "" if limit is None else f"\nlimit = {limit}"
    plain = changed(folder, 'source = "train.npz"', f'source = "train.npz"{more}')
    table = plain.task.model_copy(update={"validation": plain.task.training, "confirmation": 5})
    task = load_task(plain.model_copy(update={"task": table}))
    assert task.confirmation.name == "confirmation"
    assert len(task.confirmation) == 5
    assert len(task.validation) == (15 if limit is None else 6)
    if limit is not None:
        assert torch.equal(task.validation.inputs, load_task(plain).training.inputs)
    rows = {tuple(row.flatten().tolist()) for row in task.validation.inputs}
    assert not rows & {tuple(row.flatten().tolist()) for row in task.confirmation.inputs}


@pytest.mark.parametrize("selection", ["evenly", "first", "random"])
def test_images_to_confirm_on_are_others(folder, selection, tmp_path):
    for name in ("a", "b", "c"):
        (folder / "images" / name).mkdir(parents=True)
        for index in range(4):
            path = folder / "images" / name / f"{index}.png"
            Image.new("RGB", (5, 4), (60 * index, 80 * "abc".index(name), 0)).save(path)
    text = (folder / "e.toml").read_text()
    images = f'images = {{size = 2, cache = "{tmp_path / "cache"}"}}'
    text = text.replace("classes = 3", f"classes = 3\n{images}\nconfirmation = 3")
    part = f'source = "images"\nselection = "{selection}"\nlimit = 6'
    (folder / "e.toml").write_text(text.replace('source = "val.npz"', part))
    experiment = read_experiment(folder / "e.toml")
    listed = find_images(experiment)
    assert set(listed) == {"validation", "confirmation", "training"}
    validation, confirmation = listed["validation"], listed["confirmation"]
    assert (len(validation), len(confirmation)) == (6, 3)
    assert not set(validation.files) & set(confirmation.files)
    whole = image_folder(folder / "images")
    assert validation.files == whole.kept(6, selection).files
    if selection == "evenly":
        assert sorted(confirmation.labels) == [0, 1, 2]
    task = load_task(experiment)
    assert (len(task.validation), len(task.confirmation)) == (6, 3)


def test_more_to_confirm_on_than_there_are(folder):
    experiment = changed(folder, "classes = 3", "classes = 3\nconfirmation = 10")
    message = refused(DataError, load_task, experiment)
    assert "10 of 10 samples cannot be kept apart; expected 1 to 9" in message


def test_bytes_whose_layout_is_named(folder):
    np.savez(
        folder / "val.npz",
        inputs=np.full((4, 2, 2, 3), 255, np.uint8),
        labels=np.arange(4) % 3,
    )
    experiment = changed(folder, "classes = 3", 'classes = 3\nimages.arrays = "nhwc"')
    (folder / "train.npz").write_bytes((folder / "val.npz").read_bytes())
    assert torch.equal(load_task(experiment).validation.inputs, torch.ones(4, 3, 2, 2))


def test_an_image_folder_and_its_preprocessing(folder):
    for name in ("a", "b", "c"):
        (folder / "images" / name).mkdir(parents=True)
        Image.new("RGB", (5, 4), (255, 0, 0)).save(folder / "images" / name / "1.png")
    experiment = changed(
        folder,
        "classes = 3",
        "classes = 3\nimages = {size = 2, mean = [0, 0, 0], std = [0.5, 0.5, 0.5]}",
    )
    changes = {"validation": experiment.task.validation.model_copy(update={"source": "images"})}
    task = load_task(
        experiment.model_copy(update={"task": experiment.task.model_copy(update=changes)})
    )
    assert task.validation.inputs[0, :, 0, 0].tolist() == [2, 0, 0]
    assert task.validation.labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize("name, kept", [("pair", [0, 1, 2, 0]), ("dataset", [0, 1, 2, 0])])
def test_samples_from_a_function(folder, name, kept):
    experiment = changed(folder, 'source = "val.npz"', f'source = "data.py:{name}"\nlimit = 4')
    task = load_task(experiment)
    assert task.validation.labels.tolist() == kept
    if name == "dataset":
        assert task.validation.inputs[:, 0, 0, 0].tolist() == [0, 1, 2, 3]


def test_progress_names_the_part(folder):
    calls = []
    experiment = changed(folder, '"val.npz"', '"data.py:dataset"')
    load_task(experiment, calls.append)
    assert Advanced(9, 9, "validation") in calls
    assert calls[-1] == Advanced(20, 20, "training")


@pytest.mark.parametrize(
    "source, expected",
    [
        ("missing.npz", "missing.npz is no file"),
        ("missing", "missing is not there; expected a .npz or .safetensors file, a folder"),
        ("narrow.pt", "narrow.pt is of another kind"),
        ("data.py:pear", "there is no function 'pear' in"),
        ("data.py:nothing", "the function returned a NoneType; expected the pair (inputs"),
        ("data.py:fails", "FileNotFoundError"),
    ],
)
def test_a_wrong_source_is_named_with_its_part(folder, source, expected):
    message = refused(DataError, load_task, changed(folder, "train.npz", source))
    assert message.startswith(f"training samples ({source}): ")
    assert expected in message


def test_samples_that_do_not_fit_are_named_with_their_source(folder):
    write_arrays(folder / "train.npz", 10, labels=5)
    message = refused(DataError, load_task, changed(folder))
    assert message.startswith("training samples (train.npz): label 3 of sample 3 is out of range")
    write_arrays(folder / "train.npz", 10, shape=(3, 4, 4))
    message = refused(DataError, load_task, changed(folder))
    assert message.startswith("training samples (train.npz): inputs have shape (3, 4, 4)")
    write_arrays(folder / "val.npz", 10, labels=5)
    message = refused(DataError, load_task, changed(folder))
    assert message.startswith("validation samples (val.npz): label 3")


def test_data_that_is_empty_or_not_finite(folder):
    write_arrays(folder / "val.npz", 0)
    assert "there are no samples" in refused(DataError, load_task, changed(folder))
    inputs = write_arrays(folder / "val.npz", 4)
    inputs[2, 0, 0, 0] = np.nan
    np.savez(folder / "val.npz", inputs=inputs, labels=np.zeros(4, int))
    message = refused(DataError, load_task, changed(folder))
    assert "the first is sample 2" in message


def test_a_wrong_model_is_named_with_its_network(folder):
    message = refused(CaptureError, load_models, changed(folder, ":narrow", ":narow"))
    assert message.startswith("network 'narow': 'models.py:narow'")
    assert "did you mean 'narrow'?" in message


def test_wrong_weights_are_named_with_their_network(folder):
    message = refused(WeightsError, load_models, changed(folder, "wide.safetensors", "narrow.pt"))
    assert message.startswith("network 'wide': ")
    assert "1.weight is (4, 12) and should be (8, 12)" in message


@pytest.fixture
def averaged(folder):
    """narrow.pt is a trainer's checkpoint, with a moving average beside the weights."""
    state = torch.load(folder / "narrow.pt", weights_only=True)
    average = {key: tensor + 1 for key, tensor in state.items()}
    wrapped = {f"module.{key}": tensor for key, tensor in state.items()}
    torch.save({"state_dict": wrapped, "state_dict_ema": average}, folder / "narrow.pt")
    return state, average


def test_where_weights_are_found_is_told_with_their_network(folder, averaged):
    told = []
    models = dict(load_models(changed(folder), listener=lambda event: told.append(event.text)))
    assert torch.equal(models["narrow"][1].weight, averaged[0]["1.weight"])
    assert told == [
        "network 'narrow': weights of narrow.pt stand under 'state_dict', with the prefix "
        "'module.'",
        "network 'narrow': narrow.pt also holds a moving average (EMA) of its weights "
        "(state_dict_ema), which is not taken; ema = true takes it",
    ]


def test_a_moving_average_is_taken_where_the_file_asks_for_it(folder, averaged):
    asked = changed(folder, '"narrow.pt"', '"narrow.pt"\nema = true')
    models = dict(load_models(asked))
    assert torch.equal(models["narrow"][1].weight, averaged[1]["1.weight"])
    # Without weights there is nothing to take it from.
    assert len(load_models(asked, weights=False)) == 2


def test_a_moving_average_that_is_not_there_is_named_with_its_network(folder):
    message = refused(
        WeightsError, load_models, changed(folder, '"narrow.pt"', '"narrow.pt"\nema = true')
    )
    assert message.startswith("network 'narrow': ")
    assert "holds no moving average (EMA)" in message
    message = refused(
        WeightsError, load_models, changed(folder, 'weights = "narrow.pt"', "ema = true")
    )
    assert "for which no file is given" in message


def test_a_file_of_another_kind_is_known_before_a_model_is_built(folder):
    experiment = changed(folder)
    (folder / "narrow.pt").write_text("<!DOCTYPE html><title>Sign in</title>")
    (folder / "models.py").write_text("raise RuntimeError('the models were built')")
    message = refused(WeightsError, find_weights, experiment)
    assert message.startswith("network 'narrow': ")
    assert "is an HTML page ('Sign in')" in message


def test_nothing_is_left_among_the_places_of_modules(folder):
    before = list(sys.path)
    load_models(changed(folder))
    assert sys.path == before


AGREEMENT = TEXT.replace("classes = 3", 'kind = "agreement"')


def agreeing(folder, source):
    text = AGREEMENT.replace('"val.npz"', source)
    (folder / "a.toml").write_text(text)
    experiment = read_experiment(folder / "a.toml")
    return experiment, load_task(experiment)


def test_a_task_without_labels_is_agreement_with_the_ensemble(folder):
    np.savez(folder / "bare.npz", inputs=np.load(folder / "val.npz")["inputs"])
    experiment, task = agreeing(folder, '"bare.npz"')
    models = [model for _, model in load_models(experiment)]
    with torch.inference_mode():
        mean = torch.stack([model(task.validation.inputs) for model in models]).mean(0)
    assert torch.equal(task.validation.labels, mean.argmax(1))
    assert (task.classes, len(task.validation), len(task.training)) == (3, 10, 20)


@pytest.mark.parametrize(
    "source, count",
    [
        ('"val.npz"', 10),
        ('"data.py:pair"', 9),
        ('"data.py:dataset"', 9),
        ('"data.py:dataset"\nlimit = 4', 4),
        ('"val.npz"\nlimit = 4', 4),
        ('"data.py:bare"', 5),
        ('"data.py:singles"', 5),
        ('"photos"', 2),
    ],
)
def test_inputs_may_come_with_labels_or_without(folder, source, count):
    with (folder / "data.py").open("a") as file:
        file.write("def bare():\n    return torch.rand(5, 3, 2, 2)\n")
        file.write("def singles():\n    return TensorDataset(torch.rand(5, 3, 2, 2))\n")
    for name in ("1.png", "more/2.png"):
        (folder / "photos" / name).parent.mkdir(exist_ok=True, parents=True)
        Image.new("RGB", (5, 5), (9, 9, 9)).save(folder / "photos" / name)
    _, task = agreeing(folder, source + "\n[task.images]\nsize = 2")
    assert len(task.validation) == count


@pytest.mark.parametrize(
    "source, message",
    [
        ('"nowhere.npz"', "nowhere.npz is no file"),
        ('"nowhere"', "nowhere is not there; expected a .npz"),
        ('"data.py:nothing"', "the function returned a NoneType; expected a tensor"),
        ('"models.py"', "models.py is of another kind"),
    ],
)
def test_unlabelled_sources_that_are_none(folder, source, message):
    with pytest.raises(DataError, match=message) as caught:
        agreeing(folder, source)
    assert str(caught.value).startswith("validation samples (")


def test_the_classes_of_agreement_are_those_of_the_networks(folder):
    (folder / "a.toml").write_text(TEXT.replace("classes = 3", 'classes = 3\nkind = "agreement"'))
    with pytest.raises(NetstitchError, match="classes is given and kind is 'agreement'"):
        read_experiment(folder / "a.toml")


def test_a_network_may_have_images_of_its_own(folder):
    own = "[networks.images]\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.25, 0.5]\n"
    second = '[[networks]]\nmodel = "models.py:narrow"'
    text = TEXT.replace(second, own + second)
    (folder / "own.toml").write_text(text + "[task.images]\nmean = [0, 0, 0]\nstd = [1, 1, 1]\n")
    models = dict(load_models(read_experiment(folder / "own.toml")))
    plain = dict(load_models(read_experiment(folder / "e.toml")))
    images = torch.rand(4, 3, 2, 2)
    expected = (images - 0.5) / torch.tensor([0.5, 0.25, 0.5]).view(3, 1, 1)
    assert torch.allclose(models["wide"](images), plain["wide"](expected), atol=1e-6)
    assert torch.equal(models["narrow"](images), plain["narrow"](images))

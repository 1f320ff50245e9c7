import argparse
import collections
import datetime
import os
import pathlib
import pickle
import random
import subprocess

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from weights_examples import behind, holds, loaded, model, refused, saved

from netstitch.errors import WeightsError
from netstitch.networks.checkpoints.checkpoint_file import read_checkpoint
from netstitch.networks.checkpoints.weights import load_weights

NAMES = [
    "w.pth",
    "w.pt",
    "w.bin",
    "w.th",
    "w.ckpt",
    "w.pth.tar",
    "w.PTH",
    "w.safetensors",
    "w",
    "best model (1).h5",
]
WRITERS = {
    "zip": torch.save,
    "legacy": lambda state, path: torch.save(state, path, _use_new_zipfile_serialization=False),
    "safetensors": save_file,
}


class Bomb:
    """A pickle that calls a function of its author's choice when it is opened."""

    def __init__(self, function, *arguments):
        self.called = function, arguments

    def __reduce__(self):
        return self.called


def bombs(marker):
    write = f"open({str(marker)!r}, 'w').close()"
    return {
        "mkdir": Bomb(os.mkdir, str(marker)),
        "exec": Bomb(exec, write),
        "eval": Bomb(eval, write),
        "call": Bomb(subprocess.call, ["touch", str(marker)]),
    }


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("name", NAMES)
def test_the_content_says_what_a_file_is_and_not_its_name(tmp_path, name, writer):
    state = model().state_dict()
    # Under a plain name first, since writers judge by the ending too.
    WRITERS[writer](state, tmp_path / "written")
    (tmp_path / "written").rename(tmp_path / name)
    own, lines = loaded(tmp_path / name)
    assert holds(own, state)
    assert lines == []


@pytest.mark.parametrize("kind", bombs(""))
@pytest.mark.parametrize("name", ["w.pt", "w.safetensors", "w.ckpt"])
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("place", ["a.weight", "args"])
def test_a_malicious_checkpoint_is_not_run(tmp_path, kind, name, zipped, place):
    marker = tmp_path / "marker"
    content = model().state_dict() | {place: bombs(marker)[kind]}
    torch.save(content, tmp_path / name, _use_new_zipfile_serialization=zipped)
    message = refused(tmp_path / name)
    assert not marker.exists()
    assert f"{kind}), which could run code and was not run" in message
    assert "safetensors.torch.save_file(model.state_dict()" in message
    # The trap is a real one: opened by pickle, such an object does act.
    pickle.loads(pickle.dumps(bombs(marker)[kind]))  # noqa: S301
    assert marker.exists()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", ["w.pkl", "w.pt", "w.safetensors"])
def test_a_plain_pickle_is_not_opened(tmp_path, protocol, name):
    content = pickle.dumps({"a": Bomb(os.mkdir, str(tmp_path / "marker"))}, protocol)
    (tmp_path / name).write_bytes(content)
    assert "safetensors" in refused(tmp_path / name)
    assert not (tmp_path / "marker").exists()


def test_a_whole_model_is_not_opened(tmp_path):
    for content in (model(), {"model": model(), "epoch": 3}):
        message = refused(saved(tmp_path / "model.pt", content))
        assert "a pickle of more than tensors (torch.nn.modules.container.Sequential)" in message


@pytest.mark.parametrize("zipped", [True, False])
def test_settings_and_figures_beside_the_weights_are_passed_over(tmp_path, zipped):
    state = model().state_dict()
    beside = {
        "args": argparse.Namespace(lr=0.1, output=pathlib.Path("out")),
        "best": np.float64(0.9),
        "epoch": np.int64(3),
        "done": np.bool_(True),
        "history": np.arange(3),
        "losses": collections.defaultdict(list, {"train": [0.1, 0.2]}),
        "counts": collections.Counter("aab"),
        "at": datetime.datetime(2026, 11, 29),
        "torch": torch.__version__,
        "optimizer": torch.optim.Adam(model().parameters()).state_dict(),
    }
    path = tmp_path / "w.pth"
    torch.save({"state_dict": state, **beside}, path, _use_new_zipfile_serialization=zipped)
    assert holds(loaded(path)[0], state)
    # Nothing is left allowed for whoever reads such a file with torch itself.
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


def test_nothing_of_a_harmless_class_is_made(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(argparse.Namespace, "__init__", lambda self, **given: made.append(given))
    content = {"args": argparse.Namespace(), "w": torch.ones(2)}
    made.clear()
    checkpoint = read_checkpoint(saved(tmp_path / "w.pt", content))
    assert made == []
    assert checkpoint.others == {"args": "an argparse.Namespace"}
    assert [stored.path for stored in checkpoint.tensors] == ["w"]


def test_an_array_in_the_place_of_a_tensor_is_named(tmp_path):
    state = model().state_dict()
    state["b.bias"] = state["b.bias"].numpy()
    message = refused(saved(tmp_path / "w.pt", state))
    assert "missing: b.bias (there is a numpy.ndarray)" in message


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_that_is_cut_off(tmp_path, writer, kept):
    path = tmp_path / "w.pt"
    WRITERS[writer](model().state_dict(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    message = refused(path)
    assert "cut off" in message
    assert "get the file again" in message


def test_a_changed_byte_is_noticed(tmp_path):
    state = model().state_dict()
    path = saved(tmp_path / "w.pt", state)
    content = bytearray(path.read_bytes())
    content[content.find(state["a.weight"].numpy().tobytes())] ^= 1
    path.write_bytes(content)
    assert "damaged (Bad CRC-32" in refused(path)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("writer", WRITERS)
def test_damage_of_any_kind_is_one_line(tmp_path, writer):
    chosen, path, said = random.Random(1), tmp_path / "w.pt", []
    WRITERS[writer](behind("module.", model().state_dict()), path)
    content = path.read_bytes()
    for _ in range(100):
        damaged = bytearray(content)
        for _ in range(chosen.choice([1, 3])):
            damaged[chosen.randrange(len(content))] = chosen.randrange(256)
        path.write_bytes(damaged)
        try:
            load_weights(model(), path)
        except WeightsError as error:
            said.append(str(error))
    assert said
    assert all(message.isprintable() for message in said)


def test_a_file_that_was_written_without_sums(tmp_path):
    state = model().state_dict()
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        path = saved(tmp_path / "w.pt", state)
    finally:
        torch.serialization.set_crc32_options(before)
    assert holds(loaded(path)[0], state)


def test_a_header_that_is_none(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes((8).to_bytes(8, "little") + b'{"a": 1}')
    assert "is cut off or damaged (Error while deserializing" in refused(path)


def test_another_protocol_of_pickle_is_called_that(tmp_path):
    path = saved(tmp_path / "w.pt", model().state_dict(), pickle_protocol=4)
    assert "a pickle of another protocol than 2" in refused(path)


def test_what_holds_no_tensors_by_name(tmp_path):
    path = tmp_path / "w.pt"
    assert "holds a Tensor" in refused(saved(path, torch.zeros(1)))
    assert "holds a list" in refused(saved(path, [torch.zeros(1)]))
    assert "holds an int" in refused(saved(path, 3))
    message = refused(saved(path, {"epoch": 3, "log": {"loss": 0.1}}))
    assert "holds no tensors by name (epoch, log.loss)" in message


def test_containers_that_hold_themselves_or_one_another_often(tmp_path):
    state = model().state_dict()
    itself: list = []
    itself.append(itself)
    many = [1]
    for _ in range(60):
        many = [many, many]
    path = saved(tmp_path / "w.pt", {"state_dict": state, "itself": itself, "many": many})
    assert holds(loaded(path)[0], state)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_name_that_is_not_utf_8(tmp_path, writer):
    state = model().state_dict()
    WRITERS[writer](state, tmp_path / "plain")
    odd = tmp_path / os.fsdecode(b"w\xff.pth")
    (tmp_path / "plain").rename(odd)
    assert holds(loaded(odd)[0], state)
    assert [stored.holder for stored in read_checkpoint(odd).tensors] == [()] * 9


def test_the_weights_in_a_list_with_those_of_the_optimizer(tmp_path):
    state = model().state_dict()
    own, lines = loaded(saved(tmp_path / "w.pt", [behind("module.", state), {"lr": 0.1}]))
    assert holds(own, state)
    assert lines == ["weights of w.pt stand under '0', with the prefix 'module.'"]


def test_a_parameter_is_a_tensor(tmp_path):
    state = {key: nn.Parameter(t, requires_grad=False) for key, t in model().state_dict().items()}
    assert holds(loaded(saved(tmp_path / "w.pt", state))[0], state)

import os
import pickle
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from netstitch.errors import WeightsError
from netstitch.networks.weights import load_weights

ENDINGS = [".pt", ".pth", ".bin", ".safetensors"]


class Bomb:
    """What a pickle can do to whoever opens it: here, make a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def model():
    return nn.Sequential(OrderedDict(a=nn.Linear(2, 3), norm=nn.BatchNorm1d(3), b=nn.Linear(3, 2)))


def refused(path, own=None):
    own = own or model()
    before = {key: tensor.clone() for key, tensor in own.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        load_weights(own, path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert all(torch.equal(before[key], value) for key, value in own.state_dict().items())
    return message


def saved(path, state):
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
    return path


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_state_dict_of_any_kind(tmp_path, ending):
    trained, loaded = model(), model()
    load_weights(loaded, saved(tmp_path / f"w{ending}", trained.state_dict()))
    for key, tensor in trained.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("by", ["pickle", "torch"])
def test_a_malicious_pickle_is_not_run(tmp_path, ending, by):
    path, marker = tmp_path / f"w{ending}", tmp_path / "marker"
    content = {"a.weight": Bomb(marker)}
    path.write_bytes(pickle.dumps(content)) if by == "pickle" else torch.save(content, path)
    message = refused(path)
    assert not marker.exists()
    assert "safetensors" in message
    if by == "torch" and ending != ".safetensors":
        assert "mkdir" in message
    # The trap is a real one: opened by pickle, such a file does act.
    pickle.loads(pickle.dumps(content))  # noqa: S301
    assert marker.exists()


def test_a_whole_model_is_not_opened(tmp_path):
    torch.save(model(), tmp_path / "model.pt")
    assert "a pickle of more than tensors" in refused(tmp_path / "model.pt")


def test_missing_and_surplus_tensors_are_told_together(tmp_path):
    state = model().state_dict()
    del state["a.bias"]
    path = saved(tmp_path / "w.safetensors", state | {"c.weight": torch.zeros(1)})
    message = refused(path)
    assert "1 tensors are missing: a.bias; 1 are surplus: c.weight" in message


def test_of_many_the_first_are_named(tmp_path):
    message = refused(saved(tmp_path / "w.safetensors", {"c.weight": torch.zeros(1)}))
    assert "8 tensors are missing: a.weight, a.bias, norm.weight and 5 more" in message


def test_other_shapes(tmp_path):
    state = model().state_dict() | {"b.weight": torch.zeros(5, 3)}
    message = refused(saved(tmp_path / "w.pt", state))
    assert "b.weight is (5, 3) and should be (2, 3)" in message


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_values_that_are_not_finite(tmp_path, value):
    state = model().state_dict()
    state["a.weight"][1, 1] = value
    assert "NaN or infinity in 1 tensors: a.weight" in refused(saved(tmp_path / "w.pt", state))


def test_a_buffer_may_be_infinite_but_not_nan(tmp_path):
    def masked(value):
        own = nn.Linear(2, 2)
        own.register_buffer("mask", torch.full((2,), value))
        return own

    path = saved(tmp_path / "w.pt", masked(-torch.inf).state_dict())
    load_weights(masked(0.0), path)
    saved(path, masked(torch.nan).state_dict())
    assert "mask" in refused(path, masked(0.0))


def test_a_shared_tensor_needs_one_of_its_names(tmp_path):
    tied = nn.ModuleDict({"first": nn.Linear(2, 2), "second": nn.Linear(2, 2)})
    tied["second"].weight = tied["first"].weight
    state = {key: t + 1 for key, t in tied.state_dict().items() if key != "second.weight"}
    load_weights(tied, saved(tmp_path / "w.safetensors", state))
    assert torch.equal(tied["second"].weight, state["first.weight"])


def test_the_counter_of_batch_norm_may_be_missing(tmp_path):
    state = model().state_dict()
    del state["norm.num_batches_tracked"]
    load_weights(model(), saved(tmp_path / "w.pt", state))


def test_a_checkpoint_of_more_than_weights(tmp_path):
    path = saved(tmp_path / "w.pt", {"epoch": 3, "state": model().state_dict()})
    assert "holds more than tensors by name: epoch, state" in refused(path)
    assert "holds a list" in refused(saved(path, [torch.zeros(1)]))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_damaged_file(tmp_path, ending):
    path = saved(tmp_path / f"w{ending}", model().state_dict())
    path.write_bytes(path.read_bytes()[:100])
    refused(path)


def test_a_file_that_is_not_there_or_of_another_kind(tmp_path):
    assert "is not there" in refused(tmp_path / "w.pt")
    (tmp_path / "w.h5").write_bytes(b"")
    assert "of a kind that is not read" in refused(tmp_path / "w.h5")

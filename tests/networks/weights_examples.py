"""A small model, files of its weights, and what loading says."""

from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from netstitch.errors import WeightsError
from netstitch.networks.checkpoints.weights import load_weights


def model():
    return nn.Sequential(OrderedDict(a=nn.Linear(2, 3), norm=nn.BatchNorm1d(3), b=nn.Linear(3, 2)))


def saved(path, content, **settings):
    """The path, to which content is written as its ending says."""
    if path.suffix == ".safetensors":
        save_file(content, path)
    else:
        torch.save(content, path, **settings)
    return path


def behind(prefix, state):
    return {f"{prefix}{key}": tensor for key, tensor in state.items()}


def loaded(path, own=None, **settings):
    """A model with the weights of a file, and the lines that were told."""
    own, lines = own or model(), []
    load_weights(own, path, log=lines.append, **settings)
    return own, lines


def holds(own, state):
    """Return whether a model has exactly the tensors of a state dict."""
    return all(torch.equal(tensor, state[key]) for key, tensor in own.state_dict().items())


def refused(path, own=None, **settings):
    """The one line of the refusal, which leaves the model as it was."""
    own = own or model()
    before = {key: tensor.clone() for key, tensor in own.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        load_weights(own, path, **settings)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    assert holds(own, before)
    return message

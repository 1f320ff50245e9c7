import re
import shlex

import pytest
import torch
from torch import nn
from weights_examples import behind, holds, loaded, model, refused, saved


@pytest.fixture
def state():
    return model().state_dict()


@pytest.fixture
def average(state):
    return {key: tensor + 1 for key, tensor in state.items()}


@pytest.mark.parametrize(
    "keys", ["state_dict", "model", "model_state_dict", "net", "weights", "a.b.c", "checkpoint.net"]
)
@pytest.mark.parametrize(
    "prefix", ["", "module.", "_orig_mod.", "model.", "backbone.", "module._orig_mod.model.net."]
)
def test_under_any_keys_and_any_prefix(tmp_path, state, keys, prefix):
    content = behind(prefix, state)
    for key in reversed(keys.split(".")):
        content = {"epoch": 3, key: content}
    own, lines = loaded(saved(tmp_path / "w.pth", content))
    assert holds(own, state)
    words = [f"under {keys!r}", *([f"with the prefix {prefix!r}"] if prefix else [])]
    assert lines == [f"weights of w.pth stand {', '.join(words)}"]


@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_a_prefix_alone(tmp_path, state, ending):
    own, lines = loaded(saved(tmp_path / f"w{ending}", behind("module.", state)))
    assert holds(own, state)
    assert lines == [f"weights of w{ending} stand with the prefix 'module.'"]


def test_a_plain_state_dict_says_nothing(tmp_path, state):
    assert loaded(saved(tmp_path / "w.pt", state | {"epoch": 3}))[1] == []


def test_what_stands_beside_the_network_is_left_and_told(tmp_path, state):
    content = behind("model.", state) | {
        "criterion.weight": torch.ones(4),
        "head.0.weight": torch.ones(1),
    }
    content = {"state_dict": content, "optimizer_states": [{"state": {0: torch.ones(2)}}]}
    own, lines = loaded(saved(tmp_path / "w.ckpt", content))
    assert holds(own, state)
    assert lines == [
        "weights of w.ckpt stand under 'state_dict', with the prefix 'model.'; "
        "not taken: criterion.weight, head.0.weight"
    ]


def test_parts_that_were_wrapped_each(tmp_path, state):
    names = {"a.weight": "a._orig_mod.weight", "a.bias": "a._orig_mod.bias"}
    names |= {"b.weight": "b.module.weight", "b.bias": "b.module.bias"}
    content = {"state_dict": {names.get(key, key): tensor for key, tensor in state.items()}}
    own, [line] = loaded(saved(tmp_path / "w.pt", content))
    assert holds(own, state)
    assert "'_orig_mod.' within their names" in line


def test_parts_that_were_saved_each_under_its_own_key(tmp_path, state):
    parts = ("a", "norm", "b")
    content = {
        part: {
            key.removeprefix(f"{part}."): tensor
            for key, tensor in state.items()
            if key.startswith(f"{part}.")
        }
        for part in parts
    }
    assert holds(loaded(saved(tmp_path / "w.pt", content))[0], state)


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda m: nn.ModuleDict({"model": m})])
def test_a_model_that_is_wrapped_itself(tmp_path, state, wrap):
    wrapped = wrap(model())
    own, [line] = loaded(saved(tmp_path / "w.pt", state), wrapped)
    assert holds(next(iter(own.children())), state)
    assert "of the model's own names" in line


def test_an_average_beside_the_weights_is_told_and_not_taken(tmp_path, state, average):
    own, lines = loaded(saved(tmp_path / "w.pt", {"model": state, "model_ema": average}))
    assert holds(own, state)
    assert lines[1] == (
        "w.pt also holds a moving average (EMA) of its weights (model_ema), which is not taken; "
        "ema = true takes it"
    )


@pytest.mark.parametrize(
    "key", ["state_dict_ema", "model_ema", "ema", "ema_state_dict", "module_ema", "EMA", "netEma"]
)
def test_an_average_is_taken_where_it_is_asked_for(tmp_path, state, average, key):
    content = {"state_dict": behind("module.", state), key: behind("module.", average)}
    own, lines = loaded(saved(tmp_path / "w.pt", content), ema=True)
    assert holds(own, average)
    assert lines == [
        f"the moving average (EMA) of the weights of w.pt stands under {key!r}, "
        "with the prefix 'module.'"
    ]


def test_an_average_among_the_names_of_one_state_dict(tmp_path, state, average):
    content = {"state_dict": behind("model.", state) | behind("model_ema.module.", average)}
    path = saved(tmp_path / "w.ckpt", content)
    assert holds(loaded(path)[0], state)
    assert holds(loaded(path, ema=True)[0], average)


def test_an_average_with_its_counter(tmp_path, state):
    averaged = torch.optim.swa_utils.AveragedModel(model())
    content = {"model": state, "model_ema": averaged.state_dict()}
    own, [line] = loaded(saved(tmp_path / "w.pt", content), ema=True)
    assert holds(own, averaged.module.state_dict())
    assert "not taken: n_averaged" in line


def test_words_that_only_look_like_an_average(tmp_path, state):
    content = {"schema": {"emanuel": state}, "ema_decay": 0.999}
    assert len(loaded(saved(tmp_path / "w.pt", content))[1]) == 1


def test_an_average_that_is_not_there_is_refused(tmp_path, state):
    message = refused(saved(tmp_path / "w.pt", {"model": state, "ema_decay": 0.9}), ema=True)
    assert "holds no moving average (EMA)" in message
    assert "leave ema out" in message


def test_an_average_under_other_names_is_told_and_cannot_be_taken(tmp_path, state, average):
    other = {f"model_ema.{key.replace('.', '')}": tensor for key, tensor in average.items()}
    path = saved(tmp_path / "w.ckpt", {"state_dict": behind("model.", state) | other})
    own, lines = loaded(path)
    assert holds(own, state)
    assert "(state_dict.model_ema), which is not taken, and does not fit the model" in lines[1]
    message = refused(path, ema=True)
    assert "holds a moving average (EMA) under state_dict.model_ema, but not under the" in message


def test_an_average_alone_has_to_be_asked_for(tmp_path, state, average):
    path = saved(tmp_path / "w.pt", {"state_dict_ema": average})
    message = refused(path)
    assert "holds only a moving average (EMA)" in message
    assert "set ema = true in its [[networks]] table" in message
    assert holds(loaded(path, ema=True)[0], average)


def test_an_average_of_parameters_alone_is_not_completed_from_elsewhere(tmp_path, state, average):
    partly = {key: tensor for key, tensor in average.items() if "running" not in key}
    message = refused(saved(tmp_path / "w.pt", {"model": state, "ema": partly}), ema=True)
    assert "2 tensors are missing: norm.running_mean, norm.running_var" in message
    assert "the prefix 'ema.'" in message


@pytest.mark.parametrize("first, second", [("student", "teacher"), ("state_dict", "best")])
def test_two_networks_that_fit_are_refused_with_the_way_to_part_them(
    tmp_path, monkeypatch, state, average, first, second
):
    path = saved(tmp_path / "the w.pt", {first: state, second: average})
    message = refused(path)
    assert "2 sets of weights that fit Sequential" in message
    assert f"under {first!r}" in message
    assert f"under {second!r}" in message
    # The command does what it says.
    [program] = re.findall(r"python -c (.*)", message)
    monkeypatch.chdir(tmp_path)
    exec(shlex.split(program)[0], {})
    [parted] = tmp_path.glob("*.safetensors")
    expected = {first: state, second: average}[parted.stem]
    assert holds(loaded(parted)[0], expected)


def test_two_prefixes_that_fit_are_refused(tmp_path, state, average):
    content = {"state_dict": behind("encoder_q.", state) | behind("encoder_k.", average)}
    message = refused(saved(tmp_path / "w.pth.tar", content))
    assert "'encoder_k.'" in message
    assert "'encoder_q.'" in message


def test_one_network_under_two_keys_is_one(tmp_path, state):
    again = {key: tensor.clone() for key, tensor in state.items()}
    path = saved(tmp_path / "w.pt", {"model": state, "net": again})
    assert holds(loaded(path)[0], state)


def test_of_two_networks_the_one_of_the_right_shapes_is_taken(tmp_path, state):
    wide = {key: torch.ones(7, *tensor.shape) for key, tensor in state.items()}
    path = saved(tmp_path / "w.pt", {"generator": wide, "classifier": state})
    assert holds(loaded(path)[0], state)


def test_checkpoints_of_a_real_network(tmp_path):
    timm = pytest.importorskip("timm")
    trained = timm.create_model("mobilenetv3_small_050", num_classes=10)
    average = timm.utils.ModelEmaV2(trained)
    content = {
        "epoch": 3,
        "arch": "mobilenetv3_small_050",
        "state_dict": nn.DataParallel(trained).state_dict(),
        "optimizer": torch.optim.SGD(trained.parameters(), lr=0.1).state_dict(),
        "state_dict_ema": average.module.state_dict(),
    }
    path = saved(tmp_path / "last.pth.tar", content)
    own = timm.create_model("mobilenetv3_small_050", num_classes=10)
    assert holds(loaded(path, own)[0], trained.state_dict())
    assert "classifier.weight is (10, 1024) and should be (1000, 1024)" in refused(
        path, timm.create_model("mobilenetv3_small_050")
    )

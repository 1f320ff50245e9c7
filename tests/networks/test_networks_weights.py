import pytest
import torch
from torch import nn
from weights_examples import behind, holds, loaded, model, refused, saved

from netstitch.errors import WeightsError
from netstitch.networks.checkpoints.weights import load_weights


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
    assert "1 tensors hold NaN or infinity: a.weight" in refused(saved(tmp_path / "w.pt", state))


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


def test_a_model_of_ten_classes_is_told_of_a_classifier_for_a_thousand(tmp_path):
    state = model().state_dict() | {"b.weight": torch.zeros(1000, 3), "b.bias": torch.zeros(1000)}
    message = refused(saved(tmp_path / "w.pt", {"state_dict": behind("module.", state)}))
    assert "b.weight is (1000, 3) and should be (2, 3)" in message
    assert "the classifier of another number of classes" in message
    assert "give weights that were trained for 2 classes, or build the model for 1000" in message


def test_other_shapes_are_not_called_a_classifier(tmp_path):
    state = model().state_dict() | {"a.weight": torch.zeros(3, 5), "b.weight": torch.zeros(7, 3)}
    message = refused(saved(tmp_path / "w.pt", state))
    assert "a.weight is (3, 5) and should be (3, 2)" in message
    assert "the classifier of" not in message


def test_what_is_missing_is_named_behind_its_prefix(tmp_path):
    state = behind("module.", model().state_dict())
    del state["module.b.bias"]
    message = refused(saved(tmp_path / "w.pt", {"state_dict": state, "epoch": 3}))
    assert "does not fit Sequential: 1 tensors are missing: b.bias (its names have the" in message
    assert "prefix 'state_dict.module.'" in message


def test_names_of_another_network_are_shown_with_their_prefix(tmp_path):
    state = {"vit.blocks.0.weight": torch.ones(1), "vit.blocks.1.weight": torch.ones(1)}
    message = refused(saved(tmp_path / "w.pt", state))
    assert "8 tensors are missing: a.weight" in message
    assert "its names have the prefix 'vit.blocks.'" in message


def test_a_larger_network_of_the_same_kind_is_refused(tmp_path):
    state = model().state_dict() | {"c.weight": torch.ones(2, 2)}
    message = refused(saved(tmp_path / "w.pt", {"model": behind("module.", state)}))
    assert "1 are surplus: c.weight" in message


def test_a_part_of_split_weights_is_called_that(tmp_path):
    state = {"a.weight": model().state_dict()["a.weight"]}
    message = refused(saved(tmp_path / "model-00002-of-00003.safetensors", state))
    assert "is part 2 of 3 and does not fit" in message


def test_tensors_that_the_model_shares_and_the_file_does_not(tmp_path):
    tied = nn.ModuleDict({"first": nn.Linear(2, 2), "second": nn.Linear(2, 2)})
    apart = {key: torch.rand_like(tensor) for key, tensor in tied.state_dict().items()}
    tied["second"].weight = tied["first"].weight
    message = refused(saved(tmp_path / "w.pt", apart), tied)
    assert "first.weight and second.weight are one tensor in ModuleDict and two in" in message


def test_a_model_without_memory_is_refused(tmp_path):
    path = saved(tmp_path / "w.pt", model().state_dict())
    with pytest.raises(WeightsError, match="9 tensors of the model are on the device meta"):
        load_weights(model().to("meta"), path)


def test_the_model_keeps_no_more_memory_than_its_own(tmp_path):
    wide = torch.rand(100_000)
    state = model().state_dict() | {"a.weight": wide[:6].view(3, 2)}
    own, _ = loaded(saved(tmp_path / "w.pt", state))
    assert holds(own, state)
    assert own.a.weight.untyped_storage().nbytes() == 6 * 4


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_tensors_of_any_strides_and_without_elements(tmp_path):
    own = nn.ModuleDict({"a": nn.Linear(3, 3, bias=False), "none": nn.Linear(0, 2)})
    for tensor in (torch.rand(3, 3).t(), torch.rand(3, 1).expand(3, 3)):
        state = own.state_dict() | {"a.weight": tensor}
        assert holds(loaded(saved(tmp_path / "w.pt", state), own)[0], state)


def test_control_characters_of_names_do_not_reach_the_terminal(tmp_path):
    message = refused(saved(tmp_path / "w.pt", {"\x1b[31m\nred.weight": torch.ones(1)}))
    assert message.isprintable()

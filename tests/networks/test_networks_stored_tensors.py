import pytest
import torch
from torch import nn
from weights_examples import holds, loaded, model, refused, saved


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
def test_floats_of_another_width(tmp_path, dtype, ending):
    state = model().to(dtype).state_dict()
    own, lines = loaded(saved(tmp_path / f"w{ending}", state))
    assert {tensor.dtype for tensor in own.parameters()} == {torch.float32}
    assert torch.equal(own.a.weight, state["a.weight"].float())
    name = str(dtype).removeprefix("torch.")
    assert lines == [f"weights of w{ending}: {name} became float32"]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ["to_sparse", "to_sparse_csr", "to_sparse_csc"])
def test_sparse_tensors_become_dense(tmp_path, kind):
    state = model().state_dict()
    state["a.weight"] = state["a.weight"] * (state["a.weight"] > 0)
    sparse = getattr(state["a.weight"], kind)()
    own, lines = loaded(saved(tmp_path / "w.pt", state | {"a.weight": sparse}))
    assert holds(own, state)
    assert lines == ["weights of w.pt: 1 sparse tensors became dense"]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_sparse_tensor_of_absurd_size_is_not_made_dense(tmp_path):
    absurd = torch.sparse_coo_tensor(torch.zeros(2, 0, dtype=torch.int64), [], (10**9, 10**9))
    message = refused(saved(tmp_path / "w.pt", model().state_dict() | {"a.weight": absurd}))
    assert "a.weight is (1000000000, 1000000000)" in message


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_sparse_tensor_that_points_out_of_itself_is_refused(tmp_path):
    far = torch.tensor([[0], [10**9]])
    wild = torch.sparse_coo_tensor(far, [1.0], (3, 2), check_invariants=False)
    message = refused(saved(tmp_path / "w.pt", model().state_dict() | {"a.weight": wild}))
    assert "damaged" in message


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "change, words",
    [
        (lambda t: t.int(), "a.weight is int32 in the place of float32"),
        (lambda t: t.to(torch.int8), "a.weight is int8 in"),
        (lambda t: t.bool(), "a.weight is bool in"),
        (lambda t: t.cfloat(), "a.weight is complex64 in"),
        (lambda t: t.to(torch.float8_e4m3fn), "is float8_e4m3fn in the place of float32"),
        (
            lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8),
            "a.weight is quantised (qint8)",
        ),
        (lambda t: t.to("meta"), "a.weight is on the device meta, without values"),
        (lambda t: torch.nested.nested_tensor([t]), "a.weight is a nested tensor"),
    ],
)
def test_what_cannot_take_the_place_of_a_float(tmp_path, change, words):
    state = model().state_dict()
    message = refused(saved(tmp_path / "w.pt", state | {"a.weight": change(state["a.weight"])}))
    assert words in message


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_a_quantised_network_is_called_that_and_not_one_with_further_tensors(tmp_path):
    state = model().state_dict()
    state["a.weight"] = torch.quantize_per_tensor(state["a.weight"], 0.1, 0, torch.qint8)
    state |= {"a.scale": torch.tensor(0.1), "a.zero_point": torch.tensor(0)}
    assert "a.weight is quantised (qint8)" in refused(saved(tmp_path / "w.pt", state))


@pytest.mark.parametrize("value", [torch.tensor(3.0), torch.tensor(3.7), torch.tensor(3).int()])
def test_the_counter_of_batch_norm_may_be_averaged(tmp_path, value):
    state = model().state_dict() | {"norm.num_batches_tracked": value}
    own, _ = loaded(saved(tmp_path / "w.pt", state))
    assert own.norm.num_batches_tracked == 3


@pytest.mark.parametrize(
    "value, right",
    [
        (torch.tensor([1, 0]), True),
        (torch.tensor([1.0, 0.0]), True),
        (torch.tensor([1, 0], dtype=torch.uint8), True),
        (torch.tensor([1.0, 0.5]), False),
        (torch.tensor([2, 0]), False),
    ],
)
def test_a_mask_of_booleans_is_what_it_was(tmp_path, value, right):
    own = nn.Linear(2, 2)
    own.register_buffer("mask", torch.tensor([False, True]))
    path = saved(tmp_path / "w.pt", own.state_dict() | {"mask": value})
    if right:
        assert loaded(path, own)[0].mask.tolist() == [True, False]
    else:
        assert "have other values in the model's dtype: mask as torch.bool" in refused(path, own)

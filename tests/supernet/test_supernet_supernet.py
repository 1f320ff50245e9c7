"""The supernet: networks joined, frozen; subnetworks as ordinary modules."""

import copy
import io
import types
from typing import Any

import numpy as np
import pytest
import torch
from small_supernets import as_they_are
from supernet_examples import images, matching, models, networks, supernet
from torch import Tensor, fx, nn

from netstitch.errors import FittingError, NetstitchError, StitchingError
from netstitch.exporting import export
from netstitch.fitting import recalibrated, stitched_norms
from netstitch.matching.matches import Matching
from netstitch.networks import capture
from netstitch.stitching import Averaging, FeatureRef
from netstitch.stitching.structure import distinct_names
from netstitch.supernet.supernet import Supernet


@pytest.fixture(scope="module")
def s() -> Supernet:
    made = supernet()
    made.fit([images(8), images(9)])  # stitches at random may leave nothing but zeros
    return made


STITCHED = {0: 1, 3: 1, 4: 1}


@pytest.fixture
def stitched(s: Supernet) -> fx.GraphModule:
    return s.subnetwork(s.genotype("ensemble", STITCHED))


# -- decisions


def test_the_all_original_genotypes_are_the_networks_and_their_ensemble(s: Supernet) -> None:
    a, b = models()
    x = images(5)
    with torch.no_grad():
        expected = {"a": a(x), "b": b(x), "ensemble": (a(x) + b(x)) / 2}
        references = s.references()
        assert list(references) == list(expected)
        for name, genotype in references.items():
            torch.testing.assert_close(s.subnetwork(genotype)(x), expected[name])
            torch.testing.assert_close(s(x, genotype), expected[name])
        torch.testing.assert_close(s(x), expected["ensemble"])


def test_switches_and_cardinalities(s: Supernet) -> None:
    assert s.cardinalities == (2, 2, 2, 2, 2, 2, 3)
    assert len(s.switches) == len(s.stitches) == 6
    assert s.outputs == ("a", "b", "ensemble")
    assert [switch.place.network for switch in s.switches] == [0, 1] * 3


def test_activity_cost_and_signature_of_an_example(s: Supernet) -> None:
    # A's output with A's second point stitched from B: A's first switch no longer matters.
    genotype = s.genotype("a", [2])
    assert np.flatnonzero(s.active(genotype)).tolist() == [1, 2, 4, 6]
    assert s.signature(genotype) == ((1, 0), (2, 1), (4, 0), (6, 0))
    assert s.signature(genotype) == s.signature(s.genotype("a", [0, 2, 3, 5]))
    a, b = s.graphs
    cost = b.by_name["conv1_conv2d"].multiply_adds + b.by_name["conv2_conv2d"].multiply_adds
    cost += 8 * 6 * 4 * 4 + a.by_name["head_linear"].multiply_adds
    assert s.macs(genotype) == cost
    assert s.active_stitches(genotype) == (s.switches[2].stitches[1],)
    assert s.elementwise(genotype) > 0


def test_costs_of_the_references(s: Supernet) -> None:
    a, b = (graph.multiply_adds for graph in s.graphs)
    assert [s.macs(g) for g in s.references().values()] == [a, b, a + b]


def test_parameters_are_counted(s: Supernet) -> None:
    a, _ = models()
    assert s.parameters_of(s.genotype("a")) == sum(p.numel() for p in a.parameters())
    extra = 4 * 3 + 3  # the stitch from B's 4 channels to A's 3
    first = sum(p.numel() for p in a.parameters()) - sum(p.numel() for p in a.conv1.parameters())  # type: ignore[union-attr]
    first -= sum(p.numel() for p in a.bn1.parameters())  # type: ignore[union-attr]
    b_stem = 3 * 4 * 9 + 4 + 8
    assert s.parameters_of(s.genotype("a", [0])) == first + extra + b_stem


@pytest.mark.parametrize("genotype", [[0] * 6, [0] * 8, [2] + [0] * 6, ["x"] * 7, [0.5] * 7])
def test_genotypes_are_checked_everywhere(s: Supernet, genotype: Any) -> None:
    for method in (s.active, s.signature, s.macs, s.elementwise, s.subnetwork, s.active_stitches):
        with pytest.raises(StitchingError):
            method(genotype)


# -- subnetworks are plain


def objects(module: nn.Module) -> list[Any]:
    """Everything a module is made of: submodules, their attributes, globals of their code."""
    found: list[Any] = []
    for part in module.modules():
        found += [part, type(part), *vars(part).values()]
        if isinstance(part, fx.GraphModule):
            found += [type(part).forward, *type(part).forward.__globals__.values()]
            found += [node.target for node in part.graph.nodes]
            found += [node.meta for node in part.graph.nodes]
    return found


def test_a_subnetwork_holds_nothing_of_netstitch(stitched: fx.GraphModule) -> None:
    found = objects(stitched)
    assert any(isinstance(item, fx.GraphModule) for item in found)
    assert len(found) > 50
    for item in found:
        owner = getattr(item, "__module__", None) or ""
        assert not str(owner).startswith("netstitch")
        assert not type(item).__module__.startswith("netstitch")
        if isinstance(item, types.ModuleType):
            assert not item.__name__.startswith("netstitch")


def test_a_subnetwork_is_independent_of_the_supernet(s: Supernet) -> None:
    x, genotype = images(), s.genotype("ensemble", STITCHED)
    expected = s(x, genotype)
    module = s.subnetwork(genotype)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
        for buffer in module.buffers():
            buffer.zero_()
    assert torch.equal(s(x, genotype), expected)


def test_a_subnetwork_may_share_the_supernets_tensors(s: Supernet) -> None:
    genotype = s.genotype("ensemble", STITCHED)
    _, own = s.subnetwork_graph(genotype)
    shared = s.subnetwork(genotype, share=True)
    held = dict(shared.named_parameters()) | dict(shared.named_buffers())
    assert all(held[key] is own[key] for key in own)
    assert not any(p.requires_grad for p in shared.parameters())


def test_a_subnetworks_norms_may_be_measured_anew_and_the_supernets_stay(s: Supernet) -> None:
    genotype = s.genotype("ensemble", STITCHED)
    before = {key: tensor.clone() for key, tensor in s.tensors().items()}
    graph, own = s.subnetwork_graph(genotype)
    expected = recalibrated(graph, own, [images(40)])
    found = dict(s.subnetwork(genotype, recalibrate=[images(40)]).named_buffers())
    norms = {key for keys in stitched_norms(graph).values() for key in keys}
    assert norms
    for key in norms:
        assert torch.equal(found[key], expected[key])
        assert not torch.equal(found[key], before[key])
    assert all(torch.equal(before[key], tensor) for key, tensor in s.tensors().items())


def test_a_subnetwork_copies(stitched: fx.GraphModule) -> None:
    twin = copy.deepcopy(stitched)
    assert torch.equal(twin(images()), stitched(images()))
    with torch.no_grad():
        next(twin.parameters()).zero_()
    assert not torch.equal(twin(images()), stitched(images()))


def test_a_subnetworks_state_goes_through_a_file(s: Supernet, stitched: fx.GraphModule) -> None:
    file = io.BytesIO()
    torch.save(stitched.state_dict(), file)
    file.seek(0)
    other = s.subnetwork(s.genotype("ensemble", STITCHED))
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.fill_(0.5)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other(images()), stitched(images()))


def test_keys_of_a_subnetworks_state_tell_where_tensors_come_from(stitched: fx.GraphModule) -> None:
    keys = stitched.state_dict().keys()
    assert {"a.head.weight", "b.conv1.weight", "a.bn2.running_var"} <= keys
    assert "stitches.000.b_to_a.weight" in keys


def test_gradients_flow_to_parameters_and_input(stitched: fx.GraphModule) -> None:
    x = images().requires_grad_()
    stitched(x).square().sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    for name, parameter in stitched.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all()


def test_training_improves_a_subnetwork(stitched: fx.GraphModule) -> None:
    x, y = images(8), torch.arange(8) % 5
    optimizer = torch.optim.SGD(stitched.parameters(), lr=0.1)
    losses = []
    for _ in range(5):
        loss = nn.functional.cross_entropy(stitched(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_training_mode_changes_nothing(stitched: fx.GraphModule) -> None:
    expected = stitched(images())
    before = {key: buffer.clone() for key, buffer in stitched.named_buffers()}
    assert before
    stitched.train()
    assert torch.equal(stitched(images()), expected)  # no dropout
    for key, buffer in stitched.named_buffers():
        assert torch.equal(buffer, before[key])  # batch norm keeps its statistics


def test_channels_last_input(stitched: fx.GraphModule) -> None:
    x = images(4)
    expected = stitched(x)
    found = stitched(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_any_batch_size(stitched: fx.GraphModule, count: int) -> None:
    x = images(9)
    torch.testing.assert_close(stitched(x[:count]), stitched(x)[:count])


# -- the supernet as a module


def test_everything_is_frozen_and_stays_in_evaluation_mode(s: Supernet) -> None:
    assert not any(p.requires_grad for p in s.parameters())
    assert s.train() is s
    assert not any(module.training for module in s.modules())


def test_features_are_the_networks_own(s: Supernet) -> None:
    a, _ = models()
    x = images(3)
    first, second, third = s.features(
        x, [FeatureRef(0, "conv1_conv2d"), FeatureRef(1, "mean"), FeatureRef(0, "conv1_conv2d")]
    )
    with torch.no_grad():
        torch.testing.assert_close(first, a.conv1(x))  # type: ignore[operator]
    assert torch.equal(first, third)
    assert second.shape == (3, 8)
    (again,) = s.features(x, [FeatureRef(1, "mean")])
    assert torch.equal(again, second)


def test_only_a_fit_that_succeeds_forgets_what_refining_was_worth() -> None:
    s = supernet()
    s.fit([images(32)])
    refined = s.refine([images(32)], steps=1, batch_size=8)
    fitted = s.fit_report
    before = {key: tensor.clone() for key, tensor in s.stitch_weights().items()}
    with pytest.raises(FittingError, match="learning_rate is -1"):
        s.fit([images(32)], method="adam", learning_rate=-1)
    assert s.refine_report is refined
    assert s.fit_report is fitted
    assert all(torch.equal(before[key], tensor) for key, tensor in s.stitch_weights().items())
    assert s.fit([images(32)]) is s.fit_report
    assert s.refine_report is None


def test_features_follow_a_supernet_that_is_converted() -> None:
    s = supernet()
    places = [FeatureRef(0, "bn1_batch_norm")]
    expected = s.features(images(), places)[0]
    s.double()
    found = s.features(images().double(), places)[0]
    torch.testing.assert_close(found, expected.double(), rtol=1e-4, atol=1e-5)


def test_a_copy_is_independent() -> None:
    s = as_they_are(supernet())
    x, genotype = images(), s.genotype("ensemble", STITCHED)
    expected = s(x, genotype)
    twin = copy.deepcopy(s)
    with torch.no_grad():
        for tensor in twin.stitch_weights().values():
            tensor.zero_()
    assert torch.equal(s(x, genotype), expected)
    assert not torch.equal(twin(x, genotype), expected)


def test_it_says_what_it_is(s: Supernet) -> None:
    assert repr(s) == "Supernet(a + b: 3 matches, 7 switches)"


# -- stitches that were never fitted


def test_unfitted_stitches_are_used_by_no_evaluation() -> None:
    s, stitched = supernet(), [1, 0, 0, 0, 0, 0, 2]
    assert not s.fitted
    for name, genotype in s.references().items():
        s.check_fitted(genotype)
        assert s(images(), genotype).shape == (2, 5), name
    for use in (
        lambda: s(images(), stitched),
        lambda: s.subnetwork(stitched, recalibrate=[images(8)]),
        lambda: s.refine([images(8)]),
        s.check_fitted,
    ):
        with pytest.raises(StitchingError, match=r"never fitted.*call fit\(batches\) of the"):
            use()
    with pytest.warns(UserWarning, match="never fitted"):
        assert s.subnetwork(stitched)(images()).shape == (2, 5)  # to be trained, say
    # A stitch that the output does not depend on is not used.
    s(images(), [0, 1, 0, 0, 0, 0, 0])


def test_stitches_are_fitted_by_fitting_or_by_hand() -> None:
    s, stitched = supernet(), [1, 0, 0, 0, 0, 0, 2]
    s.fit([images(8), images(9)])
    other = supernet()
    other.set_stitches(s.stitch_weights())
    assert s.fitted
    assert other.fitted
    assert other.fit_report is None
    assert torch.equal(other(images(), stitched), s(images(), stitched))
    assert copy.deepcopy(other).fitted


def test_stitches_of_others_are_not_set() -> None:
    s = supernet()
    for weights in ({}, {key: torch.zeros(1) for key in s.stitch_weights()}):
        with pytest.raises(StitchingError, match="not of these stitches"):
            s.set_stitches(weights)
    assert not s.fitted


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda t: t.to(torch.int64), "torch.int64, torch.strided; expected dense floats"),
        (lambda t: t.to(torch.complex64), "torch.complex64, torch.strided; expected dense floats"),
        (lambda t: t.to("meta"), "on the device meta; expected dense floats"),
        (lambda t: t.to_sparse(), "torch.sparse_coo; expected dense floats"),
        (lambda t: t * float("nan"), "hold NaN or infinity"),
        (lambda t: t.numpy(), "are a ndarray; give tensors of the keys and shapes"),
    ],
)
def test_stitches_are_set_to_finite_floats_alone(make: Any, message: str) -> None:
    s = supernet()
    before = {key: tensor.clone() for key, tensor in s.stitch_weights().items()}
    *others, last = before  # what is refused leaves those before it as they were
    given = {key: before[key] + 1 for key in others} | {last: make(before[last])}
    with pytest.raises(StitchingError, match=f"the weights of {last}.*{message}"):
        s.set_stitches(given)
    assert all(torch.equal(before[key], t) for key, t in s.stitch_weights().items())
    assert not s.fitted
    with pytest.raises(StitchingError, match="the weights are a list"):
        s.set_stitches([1, 2])  # type: ignore[arg-type]


def test_a_supernet_without_stitches_needs_no_fitting() -> None:
    a, b = networks()
    assert Supernet([a, b], Matching((), 0, 0, "none")).fitted


# -- what cannot be joined


def joined(*parts: Any, **settings: Any) -> str:
    with pytest.raises(StitchingError) as caught:
        Supernet(list(parts), Matching((), 0, 0, "none"), **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def small(function: Any, example: Tensor | None = None) -> Any:
    class Made(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return function(x)

    return capture(Made(), torch.randn(2, 4) if example is None else example)


def test_networks_that_do_not_belong_together() -> None:
    first = small(lambda x: x * 2)
    assert "joins two or more" in joined(first)
    assert "joins two or more" in joined()
    assert "inputs of shape (batch, 4)" in joined(
        first, small(lambda x: x[:, :4], torch.ones(2, 5))
    )
    different = joined(first, small(lambda x: {"a": x}))
    assert "made gives one tensor (batch, 4) and made_2 gives 'a' (batch, 4)" in different
    fewer = joined(first, small(lambda x: x[:, :3]))
    assert "made gives one tensor (batch, 4) and made_2 gives one tensor (batch, 3)" in fewer


def test_networks_of_logits_are_not_joined_with_those_of_probabilities() -> None:
    raw, soft = small(lambda x: x * 2), small(lambda x: x.softmax(1))
    text = joined(raw, soft)
    assert "made_2 ends in probabilities (softmax) and made in logits" in text
    assert 'outputs = "probabilities"' in text
    keyed = small(lambda x: {"a": x, "b": x.softmax(1)}), small(lambda x: {"a": x, "b": 2 * x})
    assert "in output 'b'" in joined(*keyed)


def test_networks_of_probabilities_are_joined_with_each_other() -> None:
    soft, rows = small(lambda x: x.softmax(1)), Matching((), 0, 0, "none")
    s = Supernet([soft, soft], rows)
    assert s.probabilities == {None}
    assert s.puts_out_probabilities(None)
    assert s.puts_out_probabilities("any key of a task")
    assert "end in probabilities already" in joined(
        soft, soft, averaging=Averaging("probabilities")
    )


@pytest.mark.parametrize(
    "weights",
    [(1.0,), (1.0, 2.0, 3.0), (1.0, -1.0), (0.0, 1.0), (1.0, float("nan")), (1.0, float("inf"))],
)
def test_ensemble_weights_that_do_not_fit(weights: tuple[float, ...]) -> None:
    first = small(lambda x: x * 2)
    text = joined(first, first, averaging=Averaging(weights=weights))
    assert "one positive number each" in text


def test_a_matching_of_other_networks() -> None:
    a, b = networks()
    with pytest.raises(StitchingError, match="no point of network"):
        Supernet([b, small(lambda x: x.mean((2, 3))[:, :1].repeat(1, 5), images())], matching())
    with pytest.raises(StitchingError, match="names 2 networks"):
        Supernet([a, b, a], matching())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda: ([*models()], matching()), "the networks hold a Small; expected a list of captur"),
        (lambda: ([*models()],), "the networks hold a Small"),
        (lambda: (networks()[0], matching()), "the networks hold|the networks are a Network"),
        (lambda: (networks(),), r"the matching is a NoneType; expected ns\.match\(a, b\)"),
        (lambda: (networks(), list(matching())), "the matching is a list"),
        (lambda: (matching(), networks()), "the networks are a Matching"),
    ],
)
def test_arguments_of_another_kind(arguments: Any, message: str) -> None:
    with pytest.raises(StitchingError, match=message) as caught:
        Supernet(*arguments())
    assert "\n" not in str(caught.value)


def test_an_averaging_that_is_none() -> None:
    word: Any = "probabilities"
    with pytest.raises(StitchingError, match="averaging is 'probabilities'; expected netstitch"):
        Supernet(networks(), matching(), averaging=word)


@pytest.mark.parametrize(
    "use",
    [
        lambda s, x: s.fit([x]),
        lambda s, x: s.fit([x], method="adam", samples=8),
        lambda s, x: s.refine([x], steps=2),
        lambda s, x: s.subnetwork(s.genotype("ensemble", [0, 1]), recalibrate=[x]),
        lambda s, x: export(s, s.genotype("ensemble", [0, 1]), "never", recalibrate=[x]),
        lambda s, x: s(x),
        lambda s, x: s.features(x, []),
    ],
)
def test_inputs_of_another_size_are_refused_whatever_they_are_for(s: Supernet, use: Any) -> None:
    x = torch.randn(64, 3, 12, 12)
    with pytest.raises(NetstitchError) as caught:
        use(s, x)
    text = str(caught.value)
    assert "(64, 3, 12, 12), and the networks were captured for (batch, 3, 8, 8)" in text
    assert "\n" not in text


@pytest.mark.parametrize("method", ["least-squares", "adam"])
@pytest.mark.parametrize(
    ("batches", "message"),
    [
        (images(64), "one tensor of shape"),
        ([images(64).double()], "float64, and the networks compute in float32"),
        ([images(64).half()], "float16"),
        ([images()[0]], "that is one sample"),
        (None, "the batches are a NoneType"),
        ([], "no samples"),
    ],
)
def test_a_fit_of_what_is_no_batches(s: Supernet, method: str, batches: Any, message: str) -> None:
    with pytest.raises(FittingError, match=message) as caught:
        s.fit(batches, method=method)
    assert "\n" not in str(caught.value)


def test_a_supernet_takes_tensors_of_its_own_type(s: Supernet) -> None:
    with pytest.raises(StitchingError, match=r"the inputs are torch\.float64"):
        s(images().double())
    with pytest.raises(StitchingError, match=r"the inputs are ndarray"):
        s(images().numpy())


def test_a_setting_that_refining_does_not_have(s: Supernet) -> None:
    with pytest.raises(FittingError, match="refine has no setting 'step'; did you mean 'steps'"):
        s.refine([images(64)], step=3)
    with pytest.raises(FittingError, match="steps is 'many'; expected a valid integer"):
        s.refine([images(64)], steps="many")


def test_one_network_may_be_given_twice() -> None:
    a, _ = networks()
    rows = Matching((), 0, 0, "none")
    s = Supernet([a, a], rows)
    assert s.names == ("a", "a_2")
    torch.testing.assert_close(s(images()), a(images()))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["ResNet-18", "ViT"], ("resnet_18", "vit")),
        (["a", "a", "a_2", "A"], ("a", "a_2", "a_2_2", "a_3")),
        (["", "??", "2net"], ("network", "network_2", "n2net")),
        (["é", "class", "stitches"], ("network", "class_network", "stitches_network")),
        (["graph", "forward", "input"], ("graph_network", "forward_network", "input_network")),
        (["ensemble", "__class__"], ("ensemble_network", "class_network")),
    ],
)
def test_names_become_distinct_identifiers(names: list[str], expected: tuple[str, ...]) -> None:
    assert distinct_names(names) == expected

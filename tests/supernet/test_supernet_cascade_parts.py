import copy
import pickle
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from cascade_examples import Attending, mixed_supernet, one_by_one, split_evenly, stage
from exit_examples import Mixer, joined, segmenters, with_exits
from small_supernets import small_supernet, three_networks
from supernet_examples import images
from supernet_examples import supernet as normed_supernet
from torch import nn

from netstitch.costs.cost import multiply_adds_together, parameters_together
from netstitch.errors import StitchingError
from netstitch.networks import capture
from netstitch.stitching import Averaging, Cascade, Exit
from netstitch.supernet.supernet import Supernet

BATCHES = (1, 2, 7, 64)


def small_images(count=64, channels=2, size=6):
    return 2 * torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(9))


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return small_supernet()


def plain(supernet, threshold=0.5, **settings):
    """The first network, and the ensemble where it is unsure."""
    first, *_ = supernet.names
    stages = stage(supernet, first, threshold), stage(supernet, "ensemble")
    return Cascade(stages, **settings)


def assert_one_by_one(supernet, cascade, inputs, output=None, stages=2):
    """A module answers as one sample at a time does, with all stages in use."""
    expected, left = one_by_one(supernet, cascade, inputs, output)
    assert len(set(left)) == stages
    module = supernet.subnetwork(cascade, output=output)
    for size in BATCHES:
        with torch.no_grad():
            found = module(inputs[:size])
        found = found if output is None else found[output]
        torch.testing.assert_close(found, expected[:size], rtol=1e-5, atol=1e-6)
    assert len(module(inputs[:0]) if output is None else module(inputs[:0])[output]) == 0


@pytest.mark.parametrize("kind", ["probability", "margin", "entropy"])
def test_a_module_answers_as_one_sample_at_a_time_does(supernet, kind):
    inputs = small_images()
    cascade = split_evenly(supernet, plain(supernet, confidence=kind), inputs)
    assert_one_by_one(supernet, cascade, inputs)


@pytest.mark.parametrize("rule", ["logits", "probabilities"])
@pytest.mark.parametrize("answer", ["own", "mean"])
def test_stitched_stages_are_calibrated_and_averaged_by_shares(rule, answer):
    made = small_supernet()
    supernet = Supernet(made.basis_networks, made.matching, averaging=Averaging(rule, (1.0, 3.0)))
    supernet.set_stitches(made.stitch_weights())
    inputs = small_images()
    first = stage(supernet, "deep", 0.5, [0], temperatures=(1.4,))
    second = stage(supernet, "ensemble", None, [3], answer=answer, temperatures=(0.7, 1.9))
    cascade = split_evenly(supernet, Cascade((first, second)), inputs)
    assert_one_by_one(supernet, cascade, inputs)


@pytest.mark.parametrize("kind", ["probability", "agreement"])
def test_three_stages(kind):
    supernet = three_networks()
    inputs = small_images()
    stages = (
        stage(supernet, "net0+net1", 0.34, [2]),
        stage(supernet, "net2", 0.34, [0, 3], answer="mean", temperatures=(1.2,)),
        stage(supernet, "ensemble", None, [0, 3], temperatures=(2.0, 1.2, 1.2)),
    )
    cascade = split_evenly(supernet, Cascade(stages, kind), inputs)
    assert_one_by_one(supernet, cascade, inputs, stages=3)


def test_exits_are_stages():
    supernet = with_exits(small_supernet())
    inputs = small_images()
    first, *_ = supernet.exits
    deep = next(one for one in supernet.exits if one.network == 1)
    stages = (
        replace(stage(supernet, "wide", 0.5), subnetwork=first, temperatures=(1.7,)),
        replace(stage(supernet, "wide", 0.4), subnetwork=deep),
        stage(supernet, "ensemble", None, [0]),
    )
    cascade = split_evenly(supernet, Cascade(stages), inputs)
    assert_one_by_one(supernet, cascade, inputs, stages=3)


def test_maps_are_as_sure_as_their_pixels_on_average():
    supernet = segmenters()
    inputs = torch.randn(64, 3, 16, 16, generator=torch.Generator().manual_seed(4))
    cascade = split_evenly(supernet, plain(supernet), inputs)
    assert_one_by_one(supernet, cascade, inputs, output="out")
    assert list(supernet.subnetwork(cascade)(inputs[:3])) == ["out"]  # the only key


@pytest.mark.parametrize("kind", ["probability", "entropy"])
def test_networks_that_end_in_probabilities(kind):
    torch.manual_seed(3)
    models = [Mixer(4, nn.Softmax(1)), Mixer(6, nn.Softmax(1))]
    supernet = joined(models, torch.randn(2, 5, 6))
    inputs = torch.randn(64, 5, 6, generator=torch.Generator().manual_seed(4))
    cascade = split_evenly(supernet, plain(supernet, confidence=kind), inputs)
    assert_one_by_one(supernet, cascade, inputs)
    answers = supernet.subnetwork(cascade)(inputs)
    torch.testing.assert_close(answers.sum(1), torch.ones(64))


def test_norms_attention_and_squeezing():
    supernet = mixed_supernet()
    inputs = 3 * torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(4))
    for names in (("attending", "squeezing"), ("squeezing", "attending")):
        stages = (stage(supernet, names[0], 0.5), stage(supernet, names[1], answer="mean"))
        cascade = split_evenly(supernet, Cascade(stages), inputs)
        assert_one_by_one(supernet, cascade, inputs)


def test_one_of_several_outputs_decides():
    supernet = small_supernet(keys=True)
    inputs = small_images()
    cascade = split_evenly(supernet, plain(supernet), inputs, output="aux")
    assert_one_by_one(supernet, cascade, inputs, output="aux")
    with pytest.raises(StitchingError, match=r"put out 'out', 'aux', and .* decides by is None"):
        supernet.subnetwork(cascade)


def test_the_threshold_is_a_buffer_that_may_be_changed(supernet):
    inputs = small_images()
    module = supernet.subnetwork(plain(supernet))
    references = supernet.references()
    with torch.no_grad():
        for threshold, name in ((0.0, "wide"), (1.0, "ensemble")):
            module.threshold[0] = threshold
            expected = supernet(inputs, references[name])
            torch.testing.assert_close(module(inputs), expected, rtol=1e-5, atol=1e-6)


def test_confidence_that_is_no_number_is_unsure(supernet):
    inputs = small_images(4)
    inputs[1] = torch.nan
    cascade = plain(supernet, 0.01)
    found = supernet.subnetwork(cascade)(inputs)
    assert found[1].isnan().all()
    assert found[[0, 2, 3]].isfinite().all()


def test_state_dict_gradients_and_copies_are_those_of_a_plain_module(supernet):
    inputs = small_images()
    cascade = split_evenly(supernet, plain(supernet), inputs)
    module = supernet.subnetwork(cascade)
    ensemble = supernet.subnetwork(supernet.genotype("ensemble"))
    assert module.state_dict().keys() == {*ensemble.state_dict(), "threshold"}
    assert {type(one).__module__.partition(".")[0] for one in module.modules()} == {"torch"}
    module(inputs).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
    expected = module(inputs)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):  # noqa: S301
        torch.testing.assert_close(other(inputs), expected)


def test_a_stage_that_no_sample_reaches_gives_no_gradient(supernet):
    module = supernet.subnetwork(plain(supernet))
    module.threshold.fill_(0)
    module(small_images()).sum().backward()
    own = [p.grad.abs().sum() > 0 for n, p in module.named_parameters() if n.startswith("wide.")]
    assert any(own)
    assert all(
        p.grad is None or p.grad.abs().sum() == 0
        for name, p in module.named_parameters()
        if name.startswith("deep.")
    )


def test_costs_are_those_of_all_stages_each_tensor_once():
    supernet = with_exits(small_supernet())
    cascade = Cascade((stage(supernet, "wide", 0.5, [0]), stage(supernet, "ensemble", None, [0])))
    genotypes = [one.subnetwork for one in cascade.stages]
    assert supernet.macs(cascade) == multiply_adds_together(supernet, genotypes)
    assert supernet.macs(cascade) < sum(supernet.macs(genotype) for genotype in genotypes)
    assert supernet.parameters_of(cascade) == parameters_together(supernet, genotypes)
    stages = (replace(cascade.stages[0], subnetwork=supernet.exits[0]), cascade.stages[1])
    assert supernet.macs(Cascade(stages)) > supernet.macs(genotypes[1])


def test_the_supernet_runs_cascades(supernet):
    inputs = small_images()
    cascade = split_evenly(supernet, plain(supernet), inputs)
    expected, _ = one_by_one(supernet, cascade, inputs)
    torch.testing.assert_close(supernet(inputs, cascade), expected, rtol=1e-5, atol=1e-6)


def test_norms_are_those_of_the_basis_networks():
    supernet = normed_supernet()
    supernet.set_stitches(supernet.stitch_weights())
    cascade = Cascade((stage(supernet, "a", 0.3), stage(supernet, "ensemble")))
    cascade = split_evenly(supernet, cascade, images(64))
    assert_one_by_one(supernet, cascade, images(64))
    with pytest.raises(StitchingError, match="norms of a cascade are not recalibrated"):
        supernet.subnetwork(cascade, recalibrate=[images(64)])


def test_modules_run_without_netstitch(supernet, tmp_path):
    inputs = small_images(5)
    module = supernet.subnetwork(plain(supernet))
    torch.save(module, tmp_path / "module.pt")
    torch.save((inputs, module(inputs).detach()), tmp_path / "pair.pt")
    code = (
        "import sys, torch; module = torch.load('module.pt', weights_only=False); "
        "inputs, expected = torch.load('pair.pt'); torch.testing.assert_close(module(inputs), "
        "expected); assert not any(name.startswith('netstitch') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_unfitted_stitches_are_told(supernet):
    unfitted = Supernet(supernet.basis_networks, supernet.matching)
    stages = stage(unfitted, "wide", 0.5), stage(unfitted, "ensemble", None, [0])
    with pytest.warns(UserWarning, match="the stitches were never fitted"):
        unfitted.subnetwork(Cascade(stages))


def test_attention_takes_no_samples():
    torch.manual_seed(0)
    network = capture(Attending(4), torch.randn(2, 3, 8, 8), name="attending")
    assert len(network.graph.points) > 0
    with pytest.raises(RuntimeError, match="cannot reshape tensor of 0 elements"):
        network(torch.zeros(0, 3, 8, 8))  # which is why cascades write sizes out


# -- what does not fit


def test_genotypes_of_another_supernet(supernet):
    stages = replace(plain(supernet).stages[0], subnetwork=(0, 0)), plain(supernet).stages[1]
    with pytest.raises(StitchingError, match=r"^stage 1 of the cascade: a genotype of shape \(2,"):
        supernet.subnetwork(Cascade(stages))


def test_an_exit_that_is_not_there(supernet):
    stages = replace(plain(supernet).stages[0], subnetwork=Exit(0, ("relu",)))
    with pytest.raises(StitchingError, match=r"^stage 1 of the cascade: .*exit") as caught:
        supernet.subnetwork(Cascade((stages, plain(supernet).stages[1])))
    assert "\n" not in str(caught.value)

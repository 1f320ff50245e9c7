"""Evaluations: equal, bit for bit, to running each subnetwork by itself."""

from typing import Any

import numpy as np
import pytest
import torch
from exit_examples import with_exits
from hypothesis import given, settings
from hypothesis import strategies as st
from small_supernets import (
    plainly,
    random_samples,
    random_task,
    small_supernet,
    three_networks,
)

from netstitch.errors import DataError, StitchingError
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.evaluation import evaluator as module
from netstitch.evaluation.metrics import measure
from netstitch.fitting import recalibrated, stitched_norms
from netstitch.networks.module import build_module
from netstitch.supernet.supernet import Supernet


@pytest.fixture(scope="module")
def supernet() -> Supernet:
    return small_supernet()


@pytest.fixture(scope="module")
def of_one_channel() -> Supernet:
    return small_supernet(seed=1, channels=1)


def stream(supernet: Supernet, seed: int, count: int) -> list[np.ndarray]:
    """Genotypes as a search asks for them: each differs a little from an earlier one."""
    generator = np.random.default_rng(seed)
    found = list(supernet.references().values())
    while len(found) < count:
        child = found[generator.integers(len(found))].copy()
        for switch in generator.integers(len(child), size=2):
            child[switch] = generator.integers(supernet.cardinalities[switch])
        found.append(child)
    return found


@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([1, 7, 32]))
@settings(deadline=None, max_examples=12)
def test_results_are_those_of_subnetworks_run_by_themselves(
    supernet: Supernet, seed: int, channels_last: bool, batch: int
) -> None:
    task = random_task()
    form = NumericsConfig(channels_last, batch, workers=2)
    evaluator = Evaluator(supernet, task, task.validation, form)
    for genotype in stream(supernet, seed, count=20):
        expected = plainly(supernet, genotype, task.validation.inputs, form)
        assert torch.equal(evaluator.outputs(genotype), expected)


@pytest.mark.parametrize("channels_last", [True, False])
def test_one_channel_takes_the_form_of_its_weights(
    of_one_channel: Supernet, channels_last: bool
) -> None:
    task = random_task(channels=1)
    form = NumericsConfig(channels_last, batch=8, workers=1)
    evaluator = Evaluator(of_one_channel, task, task.validation, form)
    genotype = of_one_channel.genotype("ensemble")
    expected = plainly(of_one_channel, genotype, task.validation.inputs, form)
    assert torch.equal(evaluator.outputs(genotype), expected)


def test_measured_are_accuracy_and_multiply_adds(supernet: Supernet) -> None:
    task = random_task()
    evaluator = Evaluator(supernet, task, task.validation, NumericsConfig(False, 8, 1))
    genotype = supernet.genotype("deep", [3])
    logits = supernet.subnetwork(genotype)(task.validation.inputs)
    right = logits.argmax(1) == task.validation.labels
    measured = evaluator(genotype)
    assert measured.accuracy == int(right.sum()) / len(right)
    assert measured.cost == supernet.macs(genotype)


@pytest.mark.parametrize("together", [0, 20_000, 10**9])
def test_together_equals_one_by_one(
    supernet: Supernet, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOGETHER", together)
    task = random_task()
    form = NumericsConfig(channels_last=True, batch=8, workers=2)
    evaluator = Evaluator(supernet, task, task.validation, form)
    asked = stream(supernet, seed=3, count=9)
    outputs = evaluator.outputs_together(asked)
    correct = evaluator.measured_together(asked, task.correct)
    assert len(outputs) == len(asked)
    for genotype, output, (right,) in zip(asked, outputs, correct, strict=True):
        alone = evaluator.outputs(genotype)
        assert torch.equal(output, alone)
        assert torch.equal(right, alone.argmax(1) == task.validation.labels)


def test_genotypes_too_large_together_run_in_parts(
    supernet: Supernet, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    execute = module.execute

    def counted(plan: Any, *rest: Any) -> Any:
        sizes.append(len(plan.outputs))
        return execute(plan, *rest)

    monkeypatch.setattr(module, "execute", counted)
    task = random_task()
    evaluator = Evaluator(supernet, task, task.validation, NumericsConfig(True, 64, 1))
    evaluator.outputs_together(stream(supernet, seed=3, count=5))
    monkeypatch.setattr(module, "TOGETHER", 0)
    evaluator.outputs_together(stream(supernet, seed=3, count=5))
    assert sizes == [5, 1, 1, 1, 1, 1]


def test_three_networks_and_subsets_of_them() -> None:
    supernet = three_networks()
    task = random_task()
    form = NumericsConfig(channels_last=True, batch=8, workers=2)
    evaluator = Evaluator(supernet, task, task.validation, form)
    assert {3, 7} < set(supernet.cardinalities)
    for genotype in stream(supernet, seed=0, count=40):
        expected = plainly(supernet, genotype, task.validation.inputs, form)
        assert torch.equal(evaluator.outputs(genotype), expected)


def test_outputs_in_a_dictionary() -> None:
    supernet = small_supernet(seed=2, keys=True)
    task = random_task(output="out")
    form = NumericsConfig(channels_last=True, batch=8, workers=2)
    evaluator = Evaluator(supernet, task, task.validation, form)
    for genotype in stream(supernet, seed=0, count=20):
        expected = plainly(supernet, genotype, task.validation.inputs, form)
        found = evaluator.outputs(genotype)
        assert found.keys() == expected.keys() == {"out", "aux"}
        assert all(torch.equal(found[key], expected[key]) for key in found)
        right = expected["out"].argmax(1) == task.validation.labels
        assert evaluator(genotype).accuracy == int(right.sum()) / len(right)


def test_outputs_that_are_not_finite_are_an_error_that_says_where() -> None:
    supernet = small_supernet(seed=3)
    with torch.no_grad():
        for bias in (layer.bias for layer in supernet.layers):
            bias.fill_(float("nan"))
    task = random_task()
    evaluator = Evaluator(supernet, task, task.validation, NumericsConfig(True, 8, 1))
    last = supernet.genotype("deep", [len(supernet.switches) - 1])
    with pytest.raises(DataError, match="the first is sample 0"):
        evaluator(last)
    with pytest.raises(DataError, match="the first is sample 0"):
        evaluator.measured_together([last], task.correct)
    assert 0 <= evaluator(supernet.genotype("deep")).accuracy <= 1


def test_weights_and_batches_are_on_the_device_and_the_supernet_stays(
    supernet: Supernet, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def recorded(plan: Any, batch: torch.Tensor, *rest: Any) -> Any:
        instructions = [one for unit in plan.interpreters for one in unit.instructions]
        args = [arg for one in instructions for arg in one.args]
        tensors = [arg for arg in args if isinstance(arg, torch.Tensor)]
        seen.extend(tensor.device.type for tensor in [batch, *tensors])
        return [{key: torch.zeros(len(batch), 3) for key, _ in pairs} for pairs in plan.outputs]

    monkeypatch.setattr(module, "execute", recorded)
    task = random_task()
    form = NumericsConfig(channels_last=True, batch=8, workers=1)
    evaluator = Evaluator(supernet, task, task.validation, form, device="meta")
    evaluator(supernet.genotype("ensemble"))
    assert set(seen) == {"meta"}
    assert {tensor.device.type for tensor in supernet.tensors().values()} == {"cpu"}


def test_torch_keeps_its_number_of_threads(supernet: Supernet) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        task = random_task()
        Evaluator(supernet, task, task.validation, NumericsConfig(True, 8, 2))(supernet.genotype())
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("channels_last", [False, True])
def test_recalibrated_genotypes_are_those_exported_with_the_same_inputs(
    supernet: Supernet, channels_last: bool
) -> None:
    task = random_task()
    assert task.training is not None
    form = NumericsConfig(channels_last, 7, workers=2)
    batches = task.training.batches(20)
    evaluator = Evaluator(supernet, task, task.validation, form, recalibration=iter(batches))
    genotypes = stream(supernet, seed=3, count=12)
    together = evaluator.outputs_together(genotypes)
    plain = Evaluator(supernet, task, task.validation, form)
    changed = 0
    for genotype, outputs in zip(genotypes, together, strict=True):
        graph, weights = supernet.subnetwork_graph(genotype)
        module = build_module(graph, recalibrated(graph, weights, batches))
        with torch.inference_mode():
            expected = module(task.validation.inputs)
        torch.testing.assert_close(evaluator.outputs(genotype), expected, rtol=1e-4, atol=1e-5)
        assert torch.equal(evaluator.outputs(genotype), outputs)
        changed += not torch.allclose(outputs, plain.outputs(genotype), rtol=1e-3, atol=1e-4)
        if not stitched_norms(graph):
            assert torch.equal(outputs, plain.outputs(genotype))
    assert changed


def test_stitches_that_were_never_fitted_are_not_evaluated() -> None:
    joined, task = small_supernet(), random_task()
    unfitted = Supernet(list(joined.networks), joined.matching)  # type: ignore[arg-type]
    form = NumericsConfig(channels_last=False, batch=8, workers=1)
    evaluator = Evaluator(unfitted, task, task.validation, form)
    evaluator(unfitted.genotype("ensemble"))
    stitched = next(
        genotype
        for switch in range(len(unfitted.switches))
        if unfitted.active_stitches(genotype := unfitted.genotype("ensemble", [switch]))
    )
    for use in (evaluator, evaluator.outputs):
        with pytest.raises(StitchingError, match="the stitches were never fitted"):
            use(stitched)


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("together", [0, 10**9])
def test_exits_are_evaluated_among_genotypes(
    channels_last: bool, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOGETHER", together)
    supernet, task = with_exits(small_supernet()), random_task()
    form = NumericsConfig(channels_last, batch=5, workers=2)
    evaluator = Evaluator(supernet, task, task.validation, form)
    first, second, *others = supernet.exits
    mixed = [first, supernet.genotype("deep"), second, supernet.genotype("ensemble"), *others]
    for one, found in zip(mixed, evaluator.outputs_together(mixed), strict=True):
        assert torch.equal(found, plainly(supernet, one, task.validation.inputs, form))
    measured = evaluator.together(mixed)
    assert [each.cost for each in measured] == [supernet.macs(one) for one in mixed]
    logits = evaluator.outputs(first)
    right = (logits.argmax(1) == task.validation.labels).sum().item()
    assert evaluator(first).accuracy == right / len(task.validation)


def test_outputs_of_exits_and_genotypes_are_given_batch_by_batch() -> None:
    supernet, task = with_exits(small_supernet()), random_task()
    form = NumericsConfig(False, batch=10, workers=1)
    evaluator = Evaluator(supernet, task, task.validation, form)
    taken: dict[int, list[int]] = {}
    chosen = [supernet.exits[0], supernet.genotype("wide"), supernet.exits[1]]
    evaluator.give_outputs(
        chosen, lambda one, first, outputs: taken.setdefault(one, []).append(first)
    )
    assert taken == {0: [0, 10, 20], 1: [0, 10, 20], 2: [0, 10, 20]}


def test_exits_are_the_same_where_genotypes_are_recalibrated() -> None:
    supernet, task = with_exits(small_supernet()), random_task()
    form = NumericsConfig(False, batch=8, workers=1)
    inputs = [random_samples(64, seed=5).inputs]
    evaluator = Evaluator(supernet, task, task.validation, form, recalibration=inputs)
    stitched = supernet.genotype("deep", [3])
    found = evaluator.outputs_together([supernet.exits[0], stitched, supernet.exits[1]])
    plain = Evaluator(supernet, task, task.validation, form)
    assert torch.equal(found[0], plain.outputs(supernet.exits[0]))
    assert torch.equal(found[2], plain.outputs(supernet.exits[1]))
    assert torch.equal(found[1], evaluator.outputs(stitched))


def test_metrics_of_exits_are_those_of_their_outputs() -> None:
    supernet, task = with_exits(small_supernet()), random_task()
    form = NumericsConfig(False, batch=8, workers=1)
    exits = list(supernet.exits[:2])
    found = measure(supernet, task, task.validation, [supernet.genotype("deep"), *exits], form)
    for one, metrics in zip(exits, found[1:], strict=True):
        outputs = plainly(supernet, one, task.validation.inputs, form)
        right = task.correct(outputs, task.validation.labels)
        assert metrics.correct.tolist() == right.tolist()
        assert metrics.cross_entropy == pytest.approx(task.loss(outputs, task.validation.labels))

"""Refining: stitches move so that subnetworks behave, nothing else changes, nothing gets worse."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_supernets import random_samples, small_supernet, three_networks
from torch import Tensor

from netstitch.errors import FittingError, NetstitchError, StorageError
from netstitch.fitting import RefineReport
from netstitch.fitting.refinement.branches import Branches
from netstitch.fitting.refinement.coordinates import make_coordinates
from netstitch.fitting.refinement.draws import Draws, Gains
from netstitch.fitting.refinement.examples import Examples, read_parts
from netstitch.fitting.refinement.gradients import gradients_of
from netstitch.fitting.refinement.leaves import arranged, leaves_of
from netstitch.supernet import Supernet

Pairs = list[tuple[Tensor, Tensor]]


def batches(count: int = 96, seed: int = 0) -> Pairs:
    samples = random_samples(count, seed=seed)
    return list(zip(samples.inputs.split(16), samples.labels.split(16), strict=True))


def fitted(seed: int = 0, **options: Any) -> Supernet:
    supernet = small_supernet(seed, **options)
    supernet.fit(batches())
    return supernet


def weights(supernet: Supernet) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in supernet.stitch_weights().items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[key], other[key]) for key in one)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.booleans(), st.sampled_from([16, 5]))
def test_losses_and_gradients_are_those_of_the_plain_subnetwork(
    seed: int, three: bool, micro: int
) -> None:
    supernet = three_networks() if three else small_supernet()
    leaves = leaves_of(supernet._layers())
    branches = Branches(supernet, arranged(supernet, leaves))
    generator = np.random.default_rng(seed)
    genotype, _ = Draws(supernet, Gains(len(supernet.stitches))).draw(generator, 1.0)
    examples = Examples(random_samples(16, seed=seed).inputs)
    branch = branches.branch(genotype)
    found = gradients_of(branches, [branch], leaves, examples, micro=micro)

    student = supernet.subnetwork(genotype)
    with torch.no_grad():
        teacher = supernet(examples.inputs, supernet.genotype(int(genotype[-1])))
    ours, theirs = student(examples.inputs).log_softmax(1), teacher.log_softmax(1)
    loss = (theirs.exp() * (theirs - ours)).sum(1).mean()
    loss.backward()
    assert found.losses[0] == pytest.approx(loss.item(), rel=1e-4, abs=1e-6)
    parameters = dict(student.named_parameters())
    assert set(found.gradients) == set(branch.stitches)
    for stitch, gradients in found.gradients.items():
        path = supernet.stitch_paths()[stitch]
        for part, gradient in zip(("weight", "bias"), gradients, strict=True):
            expected = parameters[f"{path}.{part}"].grad
            assert expected is not None
            torch.testing.assert_close(gradient.flatten(), expected.flatten(), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("budget", [10**9, 0])
def test_coordinates_are_the_same_map_and_follow_the_chain_rule(budget: int) -> None:
    supernet = fitted()
    frames = make_coordinates(
        supernet.stitches,
        supernet.features,
        [inputs for inputs, _ in batches()],
        memory_budget=budget,
    )
    for frame, layer in zip(frames, supernet._layers(), strict=True):
        weight, bias = layer.weight.flatten(1), layer.bias
        assert bias is not None
        inner = [tensor.detach().requires_grad_() for tensor in frame.inner(weight, bias)]
        back = frame.weights(inner[0], inner[1])
        torch.testing.assert_close(back[0], weight, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(back[1], bias, rtol=1e-3, atol=1e-4)
        ends = [torch.randn_like(weight), torch.randn_like(bias)]
        torch.autograd.backward(list(back), ends)
        for tensor, gradient in zip(inner, frame.gradients(ends[0], ends[1]), strict=True):
            assert tensor.grad is not None
            torch.testing.assert_close(gradient, tensor.grad, rtol=1e-3, atol=1e-4)


def test_no_image_is_in_two_parts_and_the_stream_can_be_entered_anywhere() -> None:
    inputs = torch.arange(80.0)[:, None]
    parts = read_parts([inputs[:33], inputs[33:]], holdout=0.25, memory_budget=10**9, labels=False)
    seen = torch.cat([parts.train.inputs, parts.choose.inputs, parts.report.inputs]).flatten()
    assert sorted(seen.tolist()) == list(range(80))
    whole = parts.draw(100, 0, seed=3).inputs
    assert torch.equal(whole[37:60], parts.draw(23, 37, seed=3).inputs)
    few = read_parts(list(inputs.split(20)), holdout=0.25, memory_budget=2 * 20 * 4, labels=False)
    assert few.left_out == 40


def test_closed_stitches_are_never_drawn_and_learning_ones_more_often() -> None:
    gains = Gains(3)
    for step in range(8):
        gains.note(0, 1.0 - step / 10)
        gains.note(1, 1.0)
        gains.note(2, 1.0)
    shares = gains.shares()
    assert shares.sum() == pytest.approx(1)
    assert shares[0] > shares[1] == shares[2] > 0
    gains.close(0)
    assert gains.shares()[0] == 0


def test_refining_lowers_losses_on_images_apart_and_leaves_the_basis_networks() -> None:
    supernet = fitted()
    before = {key: value.clone() for key, value in supernet.networks.state_dict().items()}
    first = weights(supernet)
    told: list[tuple[int, int | None]] = []
    report = supernet.refine(
        batches(), steps=40, progress=lambda done, total, text: told.append((done, total))
    )
    after = supernet.networks.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert told[-1] == (40, 40)
    assert report.steps == 40
    changed = {i for i, row in enumerate(report.rows) if row.kept}
    assert changed
    for index, path in enumerate(supernet.stitch_paths()):
        same = torch.equal(first[f"{path}.weight"], supernet.stitch_weights()[f"{path}.weight"])
        assert same == (index not in changed)
    rows = [report.rows[i] for i in changed]
    assert sum(row.after or 0.0 for row in rows) < sum(row.before or 0.0 for row in rows)
    assert report.curve[-1].loss < report.curve[0].loss
    assert RefineReport.from_json(report.to_json()) == report
    assert not any(p.requires_grad for p in supernet.parameters())


def test_a_seed_repeats_bit_for_bit() -> None:
    found = []
    for seed in (1, 1, 2):
        supernet = fitted()
        supernet.refine(batches(), steps=6, seed=seed, learning_rate=1e-3)
        found.append(weights(supernet))
    assert equal(found[0], found[1])
    assert not equal(found[0], found[2])


def test_steps_that_only_harm_are_taken_back() -> None:
    supernet = fitted()
    first = weights(supernet)
    report = supernet.refine(batches(), steps=3, learning_rate=1e6)
    assert equal(first, weights(supernet))
    assert not any(row.kept for row in report.rows)
    assert report.several_after == report.several_before


class StoppedError(Exception):
    """Like Ctrl-C, but pytest goes on."""


@pytest.mark.parametrize("error", [KeyboardInterrupt, StoppedError])
def test_an_interrupted_training_goes_on_bit_for_bit(
    tmp_path: Path, error: type[BaseException]
) -> None:
    whole = fitted()
    whole.refine(batches(), steps=9)
    supernet, file = fitted(), tmp_path / "refining"
    first = weights(supernet)

    def stop(done: int, total: int | None, text: str) -> None:
        if done == 4:
            raise error

    with pytest.raises(error):
        supernet.refine(batches(), steps=9, checkpoint=file, progress=stop)
    assert equal(first, weights(supernet))
    assert file.exists()
    supernet.refine(batches(), steps=9, checkpoint=file)
    assert equal(weights(whole), weights(supernet))
    assert not file.exists()


def test_checkpoints_of_something_else_or_damaged_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "refining"
    file.write_bytes(b"no tensors")
    with pytest.raises(StorageError, match="no readable checkpoint"):
        fitted().refine(batches(), steps=2, checkpoint=file)
    file.unlink()

    def stop(done: int, total: int | None, text: str) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        fitted().refine(batches(), steps=2, checkpoint=file, progress=stop)
    with pytest.raises(StorageError, match="another refining"):
        fitted().refine(batches(), steps=2, learning_rate=0.5, checkpoint=file)
    with pytest.raises(StorageError, match="cannot be written"):
        fitted().refine(batches(), steps=2, checkpoint=tmp_path / "none" / "file")


def test_a_stitch_that_diverges_is_put_back_and_named_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    supernet = fitted()
    first = weights(supernet)
    real = Branches.loss_of

    def broken(self: Branches, branch: Any, *rest: Any) -> Tensor:
        loss = real(self, branch, *rest)
        return loss * float("nan") if 0 in branch.stitches and loss.requires_grad else loss

    monkeypatch.setattr(Branches, "loss_of", broken)
    report = supernet.refine(batches(), steps=30)
    assert [i for i, row in enumerate(report.rows) if row.diverged is not None] == [0]
    path = supernet.stitch_paths()[0]
    assert torch.equal(first[f"{path}.weight"], supernet.stitch_weights()[f"{path}.weight"])
    assert any(row.kept for row in report.rows)
    assert report.steps == 30


@pytest.mark.parametrize(
    "options",
    [
        {"loss": "features"},
        {"loss": "labels"},
        {"loss": lambda outputs, labels: torch.nn.functional.cross_entropy(outputs, labels)},
        {"teacher": "ensemble"},
        {"teacher": "wide"},
        {"memory_budget": 40_000, "batch_size": 8},
        {"seconds": 0.2},
    ],
)
def test_every_setting_trains(options: dict[str, Any]) -> None:
    supernet = fitted()
    report = supernet.refine(batches(), **({"steps": 4} | options))
    assert report.steps >= 1
    assert np.isfinite([point.loss for point in report.curve]).all()


def test_dictionaries_of_outputs() -> None:
    supernet = fitted(keys=True)
    assert supernet.refine(batches(), steps=4).steps == 4


@pytest.mark.parametrize(
    "options, message",
    [
        ({"steps": 0}, "the budget of 0 steps is empty"),
        ({"seconds": 0}, "the budget of 0 seconds is empty"),
        ({"loss": "output"}, "unknown loss 'output': did you mean 'outputs'"),
        ({"teacher": "nobody"}, "there is no teacher 'nobody': expected 'own'"),
        ({"teacher": "wide", "loss": "features"}, "no measure for other networks"),
        ({"batch_size": 0}, "batch_size is 0: expected 1 or more"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0: expected a number over 0"),
        ({"holdout": 0.9}, "holdout is 0.9"),
        ({"seed": -1}, "the seed is -1"),
    ],
)
def test_settings_that_cannot_be_used(options: dict[str, Any], message: str) -> None:
    supernet = small_supernet()
    first = weights(supernet)
    with pytest.raises(FittingError, match=message):
        supernet.refine(batches(), **options)
    assert equal(first, weights(supernet))


@pytest.mark.parametrize(
    "given, options, message",
    [
        ([], {}, "the batches hold no samples"),
        ([inputs for inputs, _ in batches()], {"loss": "labels"}, "holds no labels"),
        ([torch.full((64, 2, 6, 6), float("nan"))], {}, "NaN or infinity"),
        (batches(8), {}, "samples are held in memory"),
    ],
)
def test_images_that_cannot_be_used(given: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(NetstitchError, match=message):
        small_supernet().refine(given, steps=2, **options)

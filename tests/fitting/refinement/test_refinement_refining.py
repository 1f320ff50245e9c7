"""Refining: stitches move so that subnetworks behave, nothing else changes, nothing gets worse."""

from typing import Any

import numpy as np
import pytest
import torch
from refinement_examples import (
    StoppedError,
    batches,
    equal,
    fitted,
    images,
    maps,
    stop_at,
    three,
    unfitted,
    weights,
)
from torch import Tensor

from netstitch.errors import FittingError, NetstitchError, StitchingError
from netstitch.fitting import RefineReport
from netstitch.fitting.refinement import refining
from netstitch.fitting.refinement.branch_subnetworks import BranchSubnetworks
from netstitch.fitting.refinement.sampler import single, with_active
from netstitch.supernet.supernet import Supernet


def behaviour(supernet: Supernet, genotype: Any, inputs: Tensor) -> float:
    """KL divergence from the network that a genotype's output stands for."""
    with torch.inference_mode():
        ours = supernet(inputs, genotype).log_softmax(1)
        theirs = supernet(inputs, supernet.genotype(int(genotype[-1]))).log_softmax(1)
    return (theirs.exp() * (theirs - ours)).sum(1).mean().item()


def test_losses_fall_on_fresh_images_one_by_one_and_four_together() -> None:
    supernet, fresh = fitted(every=2), images(512, seed=9)
    generator, everything = np.random.default_rng(0), range(len(supernet.stitches))
    singles = [single(supernet, stitch) for stitch in everything]
    panel = [with_active(supernet, generator, 4, everything) for _ in range(12)]
    before = [behaviour(supernet, g, fresh) for g in singles]
    several = [behaviour(supernet, g, fresh) for g in panel]
    report = supernet.refine(batches(384), steps=60, seed=0)
    after = [behaviour(supernet, g, fresh) for g in singles]
    for row, old, new in zip(report.rows, before, after, strict=True):
        assert (old == new) == (not row.kept)
        # To less than what these images and the chosen ones differ in.
        assert new <= 1.2 * old + 1e-6
    kept = [i for i, row in enumerate(report.rows) if row.kept]
    assert len(kept) > 4
    assert sum(after[i] for i in kept) < 0.8 * sum(before[i] for i in kept)
    assert sum(behaviour(supernet, g, fresh) for g in panel) < sum(several)
    assert report.several_after is not None
    assert report.several_before is not None
    assert report.several_after < report.several_before


def test_the_report_says_what_was_done_and_nothing_else_changes() -> None:
    supernet = fitted()
    before = {key: value.clone() for key, value in supernet.networks.state_dict().items()}
    first, told = weights(supernet), []
    report = supernet.refine(
        batches(), steps=10, holdout=0.25, progress=lambda *each: told.append(each)
    )
    after = supernet.networks.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert not any(p.requires_grad for p in supernet.parameters())
    assert supernet.refine_report is report
    assert (report.steps, report.samples, report.distinct) == (10, 10 * 2 * 32, 72)
    assert (report.chosen_on, report.reported_on, report.left_out) == (12, 12, 0)
    assert [done for done, _, _ in told] == [*range(11), 10, 10]
    assert {total for _, total, _ in told} == {10}
    assert [text.split(",")[1] for _, _, text in told[-2:]] == [
        " choosing stitches",
        " measuring on other images",
    ]
    now = weights(supernet)
    for path, row in zip(supernet.stitch_paths(), report.rows, strict=True):
        assert torch.equal(first[f"{path}.weight"], now[f"{path}.weight"]) == (not row.kept)
        assert (row.before == row.after) == (not row.kept)
    assert any(row.kept for row in report.rows)
    assert [report.curve[i].step for i in (0, -1)] == [0, 10]
    assert RefineReport.from_json(report.to_json()) == report


def test_reported_losses_are_those_of_the_stitch_alone_on_images_apart() -> None:
    supernet, given = fitted(), batches()
    report = supernet.refine(given, steps=5)
    inputs = torch.cat([each for each, _ in given])
    held = inputs[7::8]  # every eighth is held out, every other one of these reported on
    for stitch, row in enumerate(report.rows):
        found = behaviour(supernet, single(supernet, stitch), held[1::2])
        assert row.after == pytest.approx(found, rel=1e-3, abs=1e-7)


def test_a_seed_repeats_bit_for_bit_with_one_worker_or_two(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for seed, cores in ((1, 1), (1, 2), (2, 2)):
        monkeypatch.setattr(refining, "available_cores", lambda cores=cores: cores)
        supernet = fitted()
        supernet.refine(batches(), steps=4, seed=seed, learning_rate=1e-3)
        found.append(weights(supernet))
    assert equal(found[0], found[1])
    assert not equal(found[0], found[2])


def test_stitches_that_were_never_fitted_are_not_refined() -> None:
    with pytest.raises(StitchingError, match="the stitches were never fitted"):
        unfitted().refine(batches(), steps=1)


def test_steps_that_only_harm_are_taken_back() -> None:
    supernet = fitted()
    first = weights(supernet)
    report = supernet.refine(batches(), steps=3, learning_rate=1e6)
    assert equal(first, weights(supernet))
    assert not any(row.kept for row in report.rows)
    assert all(row.before == row.after for row in report.rows)
    assert report.several_after == report.several_before


def test_a_stitch_that_diverges_is_put_back_and_named_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    supernet = fitted()
    first, real = weights(supernet), BranchSubnetworks.loss_of

    def broken(self: BranchSubnetworks, branch: Any, *rest: Any) -> Tensor:
        loss = real(self, branch, *rest)
        return loss * float("nan") if 0 in branch.stitches and loss.requires_grad else loss

    monkeypatch.setattr(BranchSubnetworks, "loss_of", broken)
    report = supernet.refine(batches(), steps=12, holdout=0.25)
    assert [i for i, row in enumerate(report.rows) if row.diverged is not None] == [0]
    assert report.rows[0].diverged in range(1, 13)
    assert report.rows[0].before == report.rows[0].after
    path = supernet.stitch_paths()[0]
    assert torch.equal(first[f"{path}.weight"], supernet.stitch_weights()[f"{path}.weight"])
    assert any(row.kept for row in report.rows)
    assert report.steps == 12


def test_a_first_stage_that_is_not_finite_is_reported_as_it_is() -> None:
    supernet = fitted()
    with torch.no_grad():
        supernet.layers[0].weight.fill_(float("inf"))
    report = supernet.refine(batches(), steps=3)
    assert report.rows[0].before == float("inf")
    assert RefineReport.from_json(report.to_json()) == report
    assert all(np.isfinite(row.after or 0.0) for row in report.rows[2:])


@pytest.mark.parametrize(
    "options",
    [
        {"memory_budget": 60_000, "batch_size": 8},
        {"loss": "labels"},
        {"loss": lambda outputs, labels: torch.nn.functional.cross_entropy(outputs, labels)},
        {"teacher": "ensemble"},
        {"teacher": "wide"},
        {"steps": None, "seconds": 0.05},
    ],
)
def test_every_setting_trains(options: dict[str, Any]) -> None:
    report = fitted().refine(batches(), **({"steps": 3} | options))
    assert report.steps >= 1
    assert np.isfinite([point.loss for point in report.curve]).all()


def test_images_that_do_not_fit_into_memory_are_counted() -> None:
    report = fitted().refine(batches(), steps=2, memory_budget=20_000)
    assert report.left_out > 0
    assert report.left_out + report.distinct + report.chosen_on + report.reported_on == 96


def functional_of_one_output(outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
    return torch.nn.functional.cross_entropy(outputs["out"], labels)


@pytest.mark.parametrize("loss", ["outputs", "labels", functional_of_one_output])
def test_dictionaries_of_outputs(loss: Any) -> None:
    report = fitted(keys=True).refine(batches(), steps=3, loss=loss)
    assert np.isfinite([point.loss for point in report.curve]).all()
    # Labels are random here: there is nothing to learn from them.
    assert any(row.kept for row in report.rows) or loss != "outputs"


@pytest.mark.parametrize("loss", ["outputs", "labels"])
def test_maps_are_compared_pixel_by_pixel(loss: str) -> None:
    supernet = maps()
    labels = torch.arange(36).reshape(6, 6) % 3
    given = [(inputs, labels.expand(len(inputs), 6, 6)) for inputs, _ in batches()]
    supernet.fit(given)
    report = supernet.refine(given, steps=4, loss=loss)
    assert np.isfinite([point.loss for point in report.curve]).all()
    assert any(row.kept for row in report.rows) or loss == "labels"


def test_three_networks() -> None:
    supernet = three()
    supernet.fit(batches())
    assert any(row.kept for row in supernet.refine(batches(), steps=6).rows)


def test_few_stitches_make_no_panel() -> None:
    supernet = fitted(every=20)
    assert len(supernet.stitches) < 4
    report = supernet.refine(batches(), steps=3)
    assert report.several_before is None
    assert report.several_after is None


@pytest.mark.parametrize(
    "options, message",
    [
        ({"steps": 0}, "steps is 0; expected 1 or more"),
        ({"seconds": 0}, "seconds is 0; expected more than 0"),
        ({"seconds": float("nan")}, "seconds is nan; expected a finite number"),
        ({"loss": "output"}, "loss is 'output'; did you mean 'outputs'"),
        ({"teacher": "nobody"}, "there is no teacher 'nobody': expected 'own'"),
        ({"loss": "features"}, "loss is 'features'; it was removed: give 'outputs'"),
        ({"batch_size": 0}, "batch_size is 0; expected 1 or more"),
        ({"subnetworks": 0}, "subnetworks is 0; expected 1 or more"),
        ({"memory_budget": 0}, "memory_budget is 0; expected 1 or more"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; expected more than 0"),
        ({"learning_rate": float("inf")}, "learning_rate is inf; expected a finite number"),
        ({"learning_rate": 3e38}, "learning_rate is 3e[+]38; .* 1e[+]30 or less"),
        ({"holdout": 0.9}, "holdout is 0.9"),
        ({"seed": -1}, "seed is -1"),
        ({"loss": lambda outputs, labels: 1.0}, "the loss function gives 1.0: expected a scalar"),
    ],
)
def test_settings_that_cannot_be_used(options: dict[str, Any], message: str) -> None:
    supernet = fitted()
    first = weights(supernet)
    with pytest.raises(FittingError, match=message) as found:
        supernet.refine(batches(), **options)
    assert "\n" not in str(found.value)
    assert equal(first, weights(supernet))
    assert supernet.refine_report is None


def test_a_supernet_without_stitches() -> None:
    supernet = fitted()
    empty = Supernet(list(supernet.networks), type(supernet.matching)((), 0, 0, "by hand"))  # type: ignore[arg-type]
    with pytest.raises(NetstitchError, match="there are no stitches to fit"):
        empty.refine(batches(), steps=2)


@pytest.mark.parametrize(
    "given, options, message",
    [
        ([], {}, "the batches hold no samples"),
        ([images(64)], {"loss": "labels"}, "batch 1 holds no labels"),
        ([images(64), torch.full((8, 2, 6, 6), float("nan"))], {}, "batch 2 holds NaN or infinity"),
        (batches(8), {}, "hold 8 samples"),
        ([(images(64), torch.full((64,), 9))], {"loss": "labels"}, "labels int64 .* do not fit"),
        ([torch.rand(64, 3, 6, 6)], {}, r"shape \(64, 3, 6, 6\), .* for \(batch, 2, 6, 6\)"),
        ([torch.rand(64, 5)], {}, r"batch 1 has shape \(64, 5\)"),
        ([images(64).double()], {}, "batch 1 is float64, .* compute in float32"),
    ],
)
def test_images_that_cannot_be_used(given: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(FittingError, match=message) as found:
        fitted().refine(given, steps=2, **options)
    assert "\n" not in str(found.value)


def test_interruption_leaves_the_stitches_and_the_last_report() -> None:
    supernet = fitted()
    report = supernet.refine(batches(), steps=2)
    first = weights(supernet)
    with pytest.raises(StoppedError):
        supernet.refine(batches(), steps=5, progress=stop_at(3))
    assert equal(first, weights(supernet))
    assert supernet.refine_report is report


def test_inside_inference_mode() -> None:
    supernet = fitted()
    with torch.inference_mode():
        given = [inputs.clone() for inputs, _ in batches()]
        report = supernet.refine(given, steps=6, holdout=0.25)
    assert any(row.kept for row in report.rows)

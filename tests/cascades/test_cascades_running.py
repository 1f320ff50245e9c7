"""Cascades run on samples, against one sample after the other through subnetworks."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from exit_examples import random_weights
from small_supernets import CLASSES, random_task, small_supernet, three_networks
from torch import Tensor

from netstitch.cascades.answers import answer_rule
from netstitch.cascades.running import run_cascades
from netstitch.cascades.terms import make_stage
from netstitch.errors import StitchingError
from netstitch.evaluation import NumericsConfig
from netstitch.stitching.cascade import Cascade, CascadeStage, Confidence
from netstitch.stitching.exit import Exit
from netstitch.stitching.subgraph import Averaging
from netstitch.supernet.supernet import Supernet
from netstitch.tasks.confidence import sureness

FORM = NumericsConfig(channels_last=False, batch=8, workers=1)
EXIT = Exit(0, ("relu",))


def with_exit(supernet: Supernet) -> Supernet:
    supernet.set_exits([EXIT], random_weights(supernet, [EXIT]))
    return supernet


def slowly(supernet: Supernet, cascade: Cascade, sample: Tensor) -> tuple[Tensor, int]:
    """The answer to one sample, and the stage that gave it."""
    seen: dict[tuple[int, ...] | Exit, Tensor] = {}
    networks: dict[tuple[int, ...] | Exit, int | None] = {}
    for place, stage in enumerate(cascade.stages):
        own = []
        for term, temperature in zip(
            make_stage(supernet, stage.subnetwork).terms, stage.temperatures, strict=True
        ):
            output = supernet.subnetwork(term.subnetwork)(sample)
            seen.setdefault(term.subnetwork, output / temperature)
            networks[term.subnetwork] = term.network
            own.append(term.subnetwork)
        chosen = own
        if stage.answer == "mean":
            chosen = [one for one in seen if networks[one] is not None]
        answer = torch.stack([seen[one] for one in chosen]).mean(0)
        last = [seen[one] for one in (*(key for key in seen if key != own[-1]), own[-1])]
        sure = sureness(
            (last[-1] if cascade.confidence == "agreement" else answer).softmax(1),
            cascade.confidence,
            last[-2].softmax(1) if len(last) > 1 else None,
        )
        if stage.threshold is None or float(sure) >= stage.threshold:
            return answer, place
    raise AssertionError


def stage(
    subnetwork: Sequence[int] | Exit,
    threshold: float | None,
    *temperatures: float,
    mean: bool = False,
) -> CascadeStage:
    own = subnetwork if isinstance(subnetwork, Exit) else tuple(np.array(subnetwork).tolist())
    return CascadeStage(own, threshold, "mean" if mean else "own", temperatures)


def half(
    supernet: Supernet, one: Sequence[int] | Exit, kind: Confidence, temperature: float
) -> float:
    """A threshold that about half of random samples reach."""
    outputs = supernet.subnetwork(one)(random_task(37).validation.inputs) / temperature
    sure = sureness(outputs.softmax(1), kind).sort().values
    return float(sure[18:20].mean())


@pytest.mark.parametrize("kind", ["probability", "margin", "entropy"])
def test_a_cascade_is_what_each_sample_goes_through(kind: Confidence) -> None:
    supernet, task = with_exit(small_supernet()), random_task(37)
    wide, deep, _ = supernet.references().values()
    cascade = Cascade(
        (
            stage(EXIT, half(supernet, EXIT, kind, 1.3), 1.3),
            stage(wide, half(supernet, wide, kind, 0.7), 0.7),
            stage(deep, None, 2.0, mean=True),
        ),
        kind,
    )
    rule = answer_rule(supernet, task, kind)
    [found] = run_cascades(supernet, rule, task.validation, [cascade], FORM, "cpu", 10**9)
    slow = [slowly(supernet, cascade, one[None]) for one in task.validation.inputs]
    left = [place for _, place in slow]
    assert found.left.tolist() == left
    right = [int(answer.argmax()) for answer, _ in slow]
    assert (
        found.metrics.correct.tolist() == (task.validation.labels == torch.tensor(right)).tolist()
    )
    assert len(set(left)) == 3
    assert found.shares(3) == pytest.approx([left.count(place) / 37 for place in range(3)])


def test_agreement_is_of_the_last_two_outputs() -> None:
    supernet, task = three_networks(), random_task(20)
    pair, third = supernet.genotype(0), supernet.genotype(3)
    ends = [supernet.subnetwork(supernet.genotype(one))(task.validation.inputs) for one in (1, 2)]
    agreed = (ends[0].softmax(1) * ends[1].softmax(1)).sum(1)
    limit = float(agreed.sort().values[9:11].mean())
    cascade = Cascade((stage(pair, limit, 1.0, 1.0), stage(third, None, 1.0)), "agreement")
    rule = answer_rule(supernet, task, "agreement")
    [found] = run_cascades(supernet, rule, task.validation, [cascade], FORM, "cpu", 10**9)
    slow = [slowly(supernet, cascade, one[None]) for one in task.validation.inputs]
    assert found.left.tolist() == [place for _, place in slow]
    assert found.left.sum() == 10


def test_blocks_of_samples_change_nothing() -> None:
    supernet, task = small_supernet(), random_task(37)
    wide, deep, ensemble = supernet.references().values()
    cascades = [
        Cascade((stage(wide, 0.38, 1.0), stage(ensemble, None, 1.0, 1.0))),
        stage(deep, None, 1.0),
    ]
    rule = answer_rule(supernet, task, "probability")
    whole, parts = (
        run_cascades(supernet, rule, task.validation, cascades, FORM, "cpu", memory)
        for memory in (10**9, 1)
    )
    for one, other in zip(whole, parts, strict=True):
        assert np.array_equal(one.left, other.left)
        assert np.array_equal(one.metrics.correct, other.metrics.correct)
        assert one.metrics.cross_entropy == other.metrics.cross_entropy
        assert one.metrics.calibration == other.metrics.calibration


def test_outputs_by_key_are_measured_as_tensors_are() -> None:
    supernet, task = small_supernet(keys=True), random_task(20, output="out")
    wide, _, ensemble = supernet.references().values()
    cascade = Cascade((stage(wide, 0.38, 1.0), stage(ensemble, None, 1.0, 1.0)))
    rule = answer_rule(supernet, task, "probability")
    [found] = run_cascades(supernet, rule, task.validation, [cascade], FORM, "cpu", 10**9)
    assert found.metrics.cross_entropy is not None
    assert sum(found.shares(2)) == pytest.approx(1)


def test_probabilities_are_averaged_as_the_supernet_averages_them() -> None:
    supernet, task = small_supernet(), random_task(20)
    rule = answer_rule(supernet, task, "probability")
    mean = type(rule)(task, "probability", Averaging("probabilities", (1.0, 3.0)))
    wide, deep, _ = (make_stage(supernet, one) for one in supernet.references().values())
    logits = [torch.randn(4, CLASSES), torch.randn(4, CLASSES)]
    answer = mean.answer(dict(zip((*wide.terms, *deep.terms), logits, strict=True)))
    expected = 0.25 * logits[0].softmax(1) + 0.75 * logits[1].softmax(1)
    torch.testing.assert_close(answer.softmax(1), expected)


def test_of_networks_that_put_out_probabilities_these_are_the_confidence() -> None:
    supernet, task = small_supernet(), random_task(20)
    rule = type(answer_rule(supernet, task, "probability"))(
        task, "probability", Averaging(), probabilities=True
    )
    shares = torch.tensor([[0.7, 0.3, 0.0], [0.2, 0.2, 0.6]])
    torch.testing.assert_close(rule.sureness(shares), torch.tensor([0.7, 0.6]))
    assert rule.temperature(shares, torch.tensor([0, 1])) == 1


def test_stages_that_do_not_fit_are_told_in_one_line() -> None:
    supernet, task = small_supernet(), random_task(5)
    rule = answer_rule(supernet, task, "probability")
    wide, _, ensemble = supernet.references().values()
    for wrong, message in (
        (stage((0, 1), None, 1.0), "stage 2 of a cascade does not fit the supernet"),
        (stage(EXIT, None, 1.0), "stage 2 of a cascade does not fit the supernet"),
        (stage(ensemble, None, 1.0), "has 1 temperatures; expected 2, one for each"),
    ):
        cascade = Cascade((stage(wide, 0.5, 1.0), wrong))
        with pytest.raises(StitchingError, match=message) as caught:
            run_cascades(supernet, rule, task.validation, [cascade], FORM, "cpu", 10**9)
        assert "\n" not in str(caught.value)

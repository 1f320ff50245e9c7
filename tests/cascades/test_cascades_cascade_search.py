"""Cascades of a front: found, measured on all parts of the data, and what bad input gets."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from exit_examples import random_weights
from small_supernets import CLASSES, random_samples, random_task, small_supernet, three_networks

import netstitch as ns
from netstitch.analysis import CascadePoint, Front
from netstitch.cascades import CascadeSettings, Evaluated, find_cascades_of
from netstitch.costs import MULTIPLY_ADDS, PARAMETERS, Cost
from netstitch.errors import NetstitchError, SearchError
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.events import Advanced, Event, Message, StageBegan
from netstitch.stitching.exit import Exit
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Classification, CrossEntropyTask, Samples, Task

FORM = NumericsConfig(channels_last=False, batch=16, workers=1)
EXITS = [Exit(0, ("relu",)), Exit(1, ("relu",))]


class Usage(NamedTuple):
    free: int


def learnable(supernet: Supernet) -> Classification:
    """Labels that the ensemble mostly gives, so that it is worth its cost."""

    def part(count: int, seed: int, name: str) -> Samples:
        samples = random_samples(count, seed, name=name)
        own = supernet(samples.inputs).argmax(1)
        random = torch.rand(count, generator=torch.Generator().manual_seed(seed)) < 0.2
        return replace(samples, labels=torch.where(random, samples.labels, own))

    return Classification(
        validation=part(160, 2, "validation"), test=part(90, 3, "test"), classes=CLASSES
    )


@pytest.fixture(scope="module")
def searched() -> tuple[Supernet, Classification, Front]:
    supernet = small_supernet()
    supernet.set_exits(EXITS, random_weights(supernet, EXITS))
    task = learnable(supernet)
    front = ns.search(supernet, task, budget=40, population=16, form=FORM)
    return supernet, task, front


@pytest.fixture(scope="module")
def found(searched: tuple[Supernet, Classification, Front]) -> Front:
    return ns.find_cascades(*searched, stages=3, form=FORM)


def test_cascades_stand_beside_networks_labelled_by_rising_mean_cost(found: Front) -> None:
    assert [one.label for one in found.cascades] == [
        f"C{rank}" for rank in range(1, len(found.cascades) + 1)
    ]
    assert [one.cost for one in found.cascades] == sorted(one.cost for one in found.cascades)
    assert found.cascades
    assert not any(one.stitches for one in found.cascades)
    assert not any(one.exits or one.stitches for one in found.plain_cascades)
    assert all(one.label.startswith("plain-") for one in found.plain_cascades)


def test_what_a_point_says_adds_up(found: Front) -> None:
    for point in (*found.cascades, *found.plain_cascades):
        assert point.worst_cost == pytest.approx(sum(point.stage_costs))
        assert point.cost == point.mean_costs["validation"]
        reached = 1 - np.cumsum([0, *point.shares["test"]])[:-1]
        assert point.mean_costs["test"] == pytest.approx(np.dot(reached, point.stage_costs))
        assert point.cost < point.worst_cost
        threshold = point.cascade.thresholds[0]
        [row] = [row for row in point.curve if row[0] == threshold]
        assert row[1:] == pytest.approx((point.validation, point.cost))
        assert set(point.cross_entropy) == set(point.calibration) == {"validation", "test"}
        assert point.validation_difference is not None
        assert point.gap is not None


def test_differences_are_to_the_plain_cascade_of_the_nearest_mean_cost(found: Front) -> None:
    plain = [one for one in found.plain_cascades if not one.exits]
    for point in (*found.cascades, *found.plain_cascades):
        for part, interval in point.plain_difference.items():
            nearest = min(plain, key=lambda one: abs(one.cost_on(part) - point.cost_on(part)))
            own, other = point.accuracy(part), nearest.accuracy(part)
            assert own is not None
            assert other is not None
            assert interval.difference == pytest.approx(own - other)
        assert set(point.plain_difference) == ({"validation", "test"} if plain else set())


def test_a_cascade_is_a_module_that_gives_what_was_measured(
    searched: tuple[Supernet, Classification, Front], found: Front
) -> None:
    supernet, task, _ = searched
    for point in found.cascades[:3]:
        outputs = supernet.subnetwork(point.cascade)(task.validation.inputs)
        right = (outputs.argmax(1) == task.validation.labels).double().mean()
        assert float(right) == pytest.approx(point.validation)


def test_exits_that_nothing_beats_are_points_of_the_front(
    searched: tuple[Supernet, Classification, Front], found: Front
) -> None:
    supernet, task, front = searched
    exits = [one for one in found.points if one.exit is not None]
    assert {one.exit for one in exits} <= set(EXITS)
    for one in exits:
        outputs = supernet.subnetwork(one.subnetwork)(task.validation.inputs)
        right = (outputs.argmax(1) == task.validation.labels).double().mean()
        assert one.validation == pytest.approx(float(right))
        assert one.cost == supernet.macs(one.subnetwork)
    networks = {one.genotype: one.validation for one in front.points}
    for point in found.points:
        assert point.exit is not None or networks[point.genotype] == point.validation
    assert [one.label for one in found.points] == [f"P{i + 1}" for i in range(len(found.points))]


def test_networks_that_exits_beat_come_back_where_there_are_other_exits(
    searched: tuple[Supernet, Classification, Front],
) -> None:
    supernet, task, front = searched
    weak = replace(front.points[0], cost=1e12, validation=0.0)  # exits are cheaper and better
    own = replace(front, points=(weak,), references=())
    with_exits = ns.find_cascades(supernet, task, own, form=FORM)
    assert all(point.exit is not None for point in with_exits.points)
    assert [point.genotype for point in with_exits.beaten] == [weak.genotype]
    assert ns.find_cascades(supernet, task, with_exits, form=FORM) == with_exits
    without = ns.find_cascades(small_supernet(), task, with_exits, form=FORM)
    assert [point.genotype for point in without.points] == [weak.genotype]
    assert not without.beaten


def test_confirmation_samples_decide_of_networks_and_exits_together(
    searched: tuple[Supernet, Classification, Front],
) -> None:
    supernet, task, front = searched
    without = ns.find_cascades(supernet, task, front, form=FORM)
    # On which the cheapest exit is always right, and the next one seldom.
    other, (cheapest, worse, *_) = random_samples(400, 5, name="confirmation"), without.points
    right = supernet.subnetwork(cheapest.subnetwork)(other.inputs).argmax(1)
    both = replace(task, confirmation=replace(other, labels=right))
    front = ns.search(supernet, both, budget=40, population=16, form=FORM)
    found = ns.find_cascades(supernet, both, front, form=FORM)
    assert worse.subnetwork in [one.subnetwork for one in found.unconfirmed]
    assert found.samples == {"validation": 160, "confirmation": 400, "test": 90}
    proposed = {one.subnetwork for one in (*found.points, *found.unconfirmed)}
    assert proposed == {one.subnetwork for one in without.points}
    together = [160 * one.validation + 400 * (one.confirmation or 0.0) for one in found.points]
    assert together == sorted(together)
    # Cascades are chosen by probabilities, and labels of confirmation samples have no say.
    assert [one.cascade for one in found.cascades] == [one.cascade for one in without.cascades]
    assert ns.find_cascades(supernet, both, found, form=FORM) == found


def test_what_is_left_out_is_a_warning(
    searched: tuple[Supernet, Classification, Front], monkeypatch: pytest.MonkeyPatch
) -> None:
    supernet, task, front = searched
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(10_000))
    size = 4 * CLASSES * len(task.validation)
    with pytest.warns(UserWarning, match=r"outputs of \d of \d candidates fit: cascades are of"):
        ns.find_cascades(supernet, task, front, memory=3 * size, form=FORM)


def test_ctrl_c_while_they_are_measured_is_one(
    searched: tuple[Supernet, Classification, Front],
) -> None:
    def press(done: int, total: int | None, text: str) -> None:
        if text == "cascades on test samples":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ns.find_cascades(*searched, form=FORM, on_progress=press)


def evaluated(supernet: Supernet, task: Task, count: int = 30) -> Evaluated:
    random = np.random.default_rng(0)
    shape = (count, len(supernet.cardinalities))
    genotypes = random.integers(0, supernet.cardinalities, shape)
    scores = [Evaluator(supernet, task, task.validation, FORM)(one).accuracy for one in genotypes]
    return Evaluated(genotypes.astype(np.uint16), np.array(scores))


def test_stages_come_from_all_that_was_evaluated(
    searched: tuple[Supernet, Classification, Front],
) -> None:
    supernet, task, front = searched
    known = evaluated(supernet, task)
    events: list[Event] = []

    def find(settings: CascadeSettings) -> Front:
        return find_cascades_of(
            supernet, task, front, known, settings, FORM, listener=events.append
        )

    with_stitches = find(CascadeSettings(stitched=True))
    without = find(CascadeSettings())
    few = find(CascadeSettings(candidates=4))
    assert not any(one.stitches for one in without.cascades)
    assert few.cascades
    plain = [one for one in with_stitches.plain_cascades if not one.exits]
    same = [(one.cascade, one.cost) for one in plain]
    assert [(one.cascade, one.cost) for one in without.plain_cascades] == same
    assert any(isinstance(one, StageBegan) for one in events)
    texts = {one.text for one in events if isinstance(one, Advanced)}
    assert {"answers of stages", "cascades of two stages", "cascades on test samples"} <= texts


def test_outputs_that_memory_does_not_hold_are_held_in_a_file(
    searched: tuple[Supernet, Classification, Front], found: Front
) -> None:
    again = ns.find_cascades(*searched, stages=3, form=FORM, memory=1)
    assert again == found


def test_recalibrated_networks_are_no_stages(
    searched: tuple[Supernet, Classification, Front],
) -> None:
    supernet, task, front = searched
    events: list[Event] = []
    given = find_cascades_of(
        supernet,
        task,
        front,
        evaluated(supernet, task, 5),
        CascadeSettings(stitched=True),
        FORM,
        recalibrated=True,
        listener=events.append,
    )
    assert not any(one.stitches for one in given.cascades)
    assert any("without stitches" in str(one) for one in events if isinstance(one, Message))


def test_where_networks_are_recalibrated_no_stitched_ones_can_agree(
    searched: tuple[Supernet, Classification, Front],
) -> None:
    supernet, task, front = searched
    settings = CascadeSettings(stitched=True, confidence="agreement")
    with pytest.raises(SearchError, match="'agreement' is between two outputs"):
        find_cascades_of(
            supernet, task, front, evaluated(supernet, task, 5), settings, FORM, recalibrated=True
        )


def test_other_costs_objectives_and_confidences_are_taken() -> None:
    supernet = three_networks()
    task = random_task(80)
    scored = CrossEntropyTask(task)
    assert scored.correct is not None
    front = ns.search(
        supernet, task, objective="cross-entropy", cost=PARAMETERS, budget=20, population=8,
        form=FORM,
    )  # fmt: skip
    found = ns.find_cascades(supernet, task, front, confidence="margin", form=FORM)
    assert found.cost_name == "parameters"
    assert found.cascades
    nats = [one.cross_entropy["validation"] for one in found.cascades]
    assert nats == sorted(nats, reverse=True)  # by labels, which a task tells cross-entropy by
    assert {one.cascade.confidence for one in found.cascades} == {"margin"}
    own = Cost("own", "units", lambda s, one: 1.0 + s.macs(one), PARAMETERS.together)
    with pytest.raises(SearchError, match="the front's cost is parameters and the one given own"):
        ns.find_cascades(supernet, task, front, cost=own, form=FORM)


def test_genotypes_may_be_given(searched: tuple[Supernet, Classification, Front]) -> None:
    supernet, task, front = searched
    told: list[tuple[int, int | None, str]] = []
    given = [supernet.genotype("wide", [0]), supernet.genotype("deep", [1])]
    found = ns.find_cascades(
        supernet,
        task,
        front,
        evaluated=given,
        stitched=True,
        form=FORM,
        on_progress=lambda done, total, text: told.append((done, total, text)),
    )
    assert isinstance(found.cascades[0], CascadePoint)
    assert all(total is None or done <= total for done, total, _ in told)
    assert told


class Sureless(Task):
    """A task without confidence."""

    def __init__(self, task: Classification) -> None:
        self.task, self.validation = task, task.validation

    def combine(self, outputs: object, weights: object = None) -> torch.Tensor:
        return self.task.combine(outputs, weights)  # type: ignore[arg-type]

    def loss(self, outputs: object, labels: torch.Tensor) -> float:
        return 0.0

    def accuracy(self, outputs: object, labels: torch.Tensor) -> float:
        return 0.5

    def correct(self, outputs: object, labels: torch.Tensor) -> torch.Tensor:
        return torch.ones(len(labels))


Call = Callable[[Supernet, Classification, Front], object]


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda s, task, front: ns.find_cascades(s, Sureless(task), front, form=FORM),
            "a Sureless has no confidence, .* give a task that declares confidences",
        ),
        (
            lambda s, task, front: ns.find_cascades(s, task, front, stages=4),
            "stages is 4; expected 2 or 3",
        ),
        (
            lambda s, task, front: ns.find_cascades(s, task, front, confidence="probabilty"),
            "confidence is 'probabilty'; did you mean 'probability'",
        ),
        (
            lambda s, task, front: ns.find_cascades(s, task, front, candidate=5),
            "find_cascades has no setting 'candidate'; did you mean 'candidates'",
        ),
        (
            lambda s, task, front: ns.find_cascades(three_networks(), task, front, form=FORM),
            "of the front is no network of this supernet .* give the supernet that was searched",
        ),
        (
            lambda s, task, front: ns.find_cascades(small_supernet(seed=5), task, front, form=FORM),
            "of the front has a validation accuracy of 0.* here; give the supernet that was",
        ),
        (
            lambda s, task, front: ns.find_cascades(
                s,
                task,
                replace(front, points=(replace(front.points[0], validation=0.1),)),
                stitched=True,
                form=FORM,
            ),
            "P1 of the front has a validation accuracy of 0.1000, .* stages cannot be recalibrated",
        ),
        (
            lambda s, task, front: ns.find_cascades(s, task, front, confidence="agreement"),
            "'agreement' is between two outputs, and of wide and deep .* let stages be stitched",
        ),
        (
            lambda s, task, front: ns.find_cascades(s, task, front.points, form=FORM),
            "the front is a tuple .*; give what ns.search",
        ),
        (
            lambda s, task, front: ns.find_cascades(
                s, task, front, evaluated=[[0, 1]], stitched=True, form=FORM
            ),
            "a genotype of shape",
        ),
        (
            lambda s, task, front: ns.find_cascades(s, task, front, evaluated=[[0, 1]]),
            "1 genotypes were given, .* give stitched=True too",
        ),
        (
            lambda s, task, front: ns.find_cascades(
                s, task, replace(front, cost_name="own"), form=FORM
            ),
            "the front's cost 'own' is one of your own; give it",
        ),
    ],
)
def test_bad_input_gets_one_line(
    searched: tuple[Supernet, Classification, Front], call: Call, message: str
) -> None:
    with pytest.raises(NetstitchError, match=message) as caught:
        call(*searched)
    assert "\n" not in str(caught.value)


def test_a_cost_that_is_asked_for_finds_the_same_plain_cascades(
    searched: tuple[Supernet, Classification, Front],
) -> None:
    supernet, task, front = searched
    events: list[Event] = []
    asked = replace(MULTIPLY_ADDS, parts=None)
    none = Evaluated(np.zeros((0, len(supernet.cardinalities)), np.int64), np.zeros(0))
    one, other = (
        find_cascades_of(
            supernet, task, front, none, CascadeSettings(), FORM, cost=cost, listener=events.append
        )
        for cost in (MULTIPLY_ADDS, asked)
    )
    assert one.plain_cascades == other.plain_cascades
    assert any("at most 30 candidates are tried" in str(event) for event in events)

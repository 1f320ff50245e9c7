"""`ns.search` on a tiny supernet and task."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from run_examples import arrays, build
from small_supernets import as_they_are, random_samples, random_task, small_supernet
from torch import nn

import netstitch as ns
from netstitch.analysis import FrontPoint, hypervolume
from netstitch.costs import Cost, find_cost
from netstitch.errors import SearchError
from netstitch.evaluation import Evaluator, ExecutionConfig, NumericsConfig
from netstitch.evaluation.metrics import measure
from netstitch.events import Event, Message
from netstitch.experiments import RunSettings
from netstitch.matching import Matching
from netstitch.optimization import (
    ALGORITHMS,
    Completed,
    Evaluation,
    Executor,
    Genotype,
    Progress,
    SimulatedExecutor,
)
from netstitch.searching import supernet_search as searching
from netstitch.searching.search_progress import ResultRecorded, SearchAdvanced, SearchMeasured
from netstitch.searching.supernet_search_settings import SupernetSearchSettings, scored_by
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Classification, CrossEntropyTask, Samples, from_arrays

FORM = NumericsConfig(channels_last=False, batch=16, workers=2)


@pytest.fixture(scope="module")
def task() -> Classification:
    training, validation, test = (
        from_arrays(*arrays(count, seed), name=name)
        for seed, (name, count) in enumerate({"train": 90, "validation": 41, "test": 33}.items())
    )
    return Classification(training=training, validation=validation, test=test, classes=3)


@pytest.fixture(scope="module")
def supernet(task: Classification) -> Supernet:
    example = task.validation.inputs[:2]
    networks = [ns.capture(build(name), example, name=name) for name in ("wide", "deep")]
    joined = Supernet(networks, ns.match(*networks))
    assert task.training is not None
    joined.fit(task.training.batches(16))
    return joined


def search(supernet: Supernet, task: Classification, **settings: Any) -> ns.Front:
    return ns.search(supernet, task, **{"budget": 80, "population": 8, "form": FORM, **settings})


def test_a_front_has_references_and_points_measured_on_both_parts(
    supernet: Supernet, task: Classification
) -> None:
    front = search(supernet, task)
    assert [point.label for point in front.references] == ["wide", "deep", "ensemble"]
    assert [point.label for point in front] == [f"P{k}" for k in range(1, len(front) + 1)]
    assert task.test is not None
    for point in (*front.references, *front):
        module = supernet.subnetwork(point.genotype)
        for samples, accuracy in ((task.validation, point.validation), (task.test, point.test)):
            right = module(samples.inputs).argmax(1) == samples.labels
            assert accuracy == int(right.sum()) / len(samples)
        assert point.multiply_adds == supernet.macs(point.genotype)
        assert point.stitches == len(supernet.active_stitches(point.genotype))
        assert point.parameters == sum(p.numel() for p in module.parameters())


def test_points_cost_more_only_where_they_are_better(
    supernet: Supernet, task: Classification
) -> None:
    front = search(supernet, task)
    costs = [point.multiply_adds for point in front]
    accuracies = [point.validation for point in front]
    assert len(front) > 1
    assert costs == sorted(set(costs))
    assert accuracies == sorted(set(accuracies))
    best = max(point.validation for point in front.references)
    assert max(accuracies) >= best


def test_differences_are_to_the_ensemble_on_the_same_samples(
    supernet: Supernet, task: Classification
) -> None:
    front = search(supernet, task)
    ensemble = front.references[-1]
    assert ensemble.validation_difference is None
    assert ensemble.test_difference is None
    for point in (*front.references[:-1], *front):
        assert point.validation_difference is not None
        expected = point.validation - ensemble.validation
        assert point.validation_difference.difference == pytest.approx(expected, abs=1e-12)
        assert point.test_difference is not None
        assert point.test_difference.low <= point.test_difference.difference


class NewestFirst(Executor):
    """Places in which what began last ends first."""

    def __init__(self, evaluate: Evaluator, places: int) -> None:
        self.capacity = self.workers = places
        self._evaluate, self._waiting = evaluate, list[tuple[int, Genotype]]()
        self.most, self.ended = 0, list[bytes]()

    def submit(self, ticket: int, genotype: Genotype, threshold: float | None = None) -> None:
        self._waiting.append((ticket, genotype))
        self.most = max(self.most, len(self._waiting))

    def wait(self) -> list[Completed]:
        ticket, genotype = self._waiting.pop()
        self.ended.append(genotype.tobytes())
        return [Completed(ticket, tuple(self._evaluate(genotype)), None, 1.0)]

    def busy(self) -> float:
        return 0.0

    def cancel(self) -> None:
        self._waiting.clear()


@pytest.mark.parametrize("procedure", ["paper", "netstitch"])
def test_the_papers_loops_go_on_as_their_own_results_are_finished(
    supernet: Supernet, task: Classification, procedure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One loop an individual; by default each waits for those that asked before it."""
    places: list[NewestFirst] = []
    given: list[bytes] = []

    @contextmanager
    def evaluating(make: Any, spread: ExecutionConfig) -> Iterator[Executor]:
        assert spread.in_flight == (0 if procedure == "paper" else 16)
        places.append(NewestFirst(make(torch.device("cpu")), 5))
        yield places[0]

    def listener(event: Event) -> None:
        if isinstance(event, ResultRecorded):
            given.append(event.evaluation.genotype.tobytes())

    monkeypatch.setattr(searching, "evaluating", evaluating)
    asked = RunSettings(procedure=procedure)
    settings = SupernetSearchSettings(evaluations=60, population=8)
    searching.run(supernet, task, settings, form=FORM, spread=asked.evaluation, listener=listener)
    [executor] = places
    assert executor.most == 5
    assert sorted(given) == sorted(executor.ended)
    assert (given == executor.ended) is (procedure == "paper")


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_a_seed_repeats_bit_for_bit_and_another_does_not(
    supernet: Supernet, task: Classification, algorithm: str
) -> None:
    def run(seed: int) -> tuple[list[tuple[int, ...]], list[tuple[int, float]]]:
        seen: list[tuple[int, float]] = []

        def watch(progress: Progress) -> None:
            assert progress.best is not None
            seen.append((progress.used, progress.best[1]))

        settings = {"algorithm": algorithm, "first_networks": 0.0}  # no seed draws first networks
        front = search(supernet, task, seed=seed, on_progress=watch, **settings)
        return [point.genotype for point in front], seen

    assert run(3) == run(3)
    assert run(3)[1] != run(4)[1]


def test_the_budget_is_kept(supernet: Supernet, task: Classification) -> None:
    settings = SupernetSearchSettings(evaluations=50, population=8)
    result = searching.run(supernet, task, settings, form=FORM).result
    assert result.evaluated + result.skipped == result.used == 50
    assert result.stopped == "budget"
    distinct = searching.run(
        supernet, task, settings.changed(count_skipped=False), form=FORM
    ).result
    assert distinct.evaluated == 50


def test_time_ends_a_search(supernet: Supernet, task: Classification) -> None:
    settings = SupernetSearchSettings(evaluations=10**9, seconds=0.2, population=8)
    result = searching.run(supernet, task, settings, form=FORM).result
    assert result.stopped == "time"


@pytest.mark.parametrize("procedure", ["paper", "netstitch"])
def test_where_time_ends_it_before_any_evaluation_it_says_so(
    supernet: Supernet,
    task: Classification,
    procedure: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @contextmanager
    def evaluating(make: Any, spread: ExecutionConfig) -> Iterator[Executor]:
        evaluator = make(torch.device("cpu"))
        yield SimulatedExecutor(evaluator, lambda genotype: 10.0, workers=2, capacity=8)

    monkeypatch.setattr(searching, "evaluating", evaluating)
    spread = RunSettings(procedure=procedure).evaluation
    settings = SupernetSearchSettings(seconds=9.0, population=8)
    with pytest.raises(SearchError, match=r"no evaluation was completed within 9\.0 seconds"):
        searching.run(supernet, task, settings, form=FORM, spread=spread)
    longer = settings.changed(seconds=30.0)
    assert searching.run(supernet, task, longer, form=FORM, spread=spread).result.evaluated == 6


def test_accuracies_may_be_those_of_recalibrated_networks() -> None:
    supernet, task = small_supernet(), random_task()
    inputs = [random_samples(64, seed=3).inputs]
    found = ns.search(supernet, task, budget=150, population=16, recalibration=iter(inputs))
    stitched = [point for point in found if point.stitches]
    assert stitched
    for point in stitched:
        module = supernet.subnetwork(point.genotype, recalibrate=inputs)
        with torch.inference_mode():
            outputs = module(task.validation.inputs)
        assert point.validation == task.accuracy(outputs, task.validation.labels)


def test_picking(supernet: Supernet, task: Classification) -> None:
    front = search(supernet, task)
    middle = front.points[len(front) // 2]
    assert front.pick(max_macs=middle.multiply_adds) == middle
    assert front.pick(min_accuracy=middle.validation) == middle
    assert front.pick(point=middle.label) == middle
    with pytest.raises(SearchError, match="the front runs from"):
        front.pick(max_macs=1)


def test_without_test_samples_nothing_is_measured_on_them(
    supernet: Supernet, task: Classification
) -> None:
    front = search(supernet, replace(task, test=None))
    assert {point.test for point in (*front.references, *front)} == {None}
    assert {point.test_difference for point in front} == {None}


def spied(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The genotypes that are evaluated, in their order; what checks references before is not."""
    asked: list[tuple[int, ...]] = []
    together = Evaluator.together

    def spy(self: Evaluator, genotypes: Any, thresholds: Any = None) -> Any:
        asked.extend(tuple(genotype.tolist()) for genotype in genotypes)
        return together(self, genotypes, thresholds)

    monkeypatch.setattr(Evaluator, "together", spy)
    return asked


@pytest.mark.parametrize("references", ["first", "apart"])
def test_references_are_the_first_members_or_apart(
    supernet: Supernet, task: Classification, references: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = spied(monkeypatch)
    given: list[tuple[int, ...]] = []
    said: list[str] = []

    def listener(event: Event) -> None:
        if isinstance(event, ResultRecorded):
            given.append(tuple(event.evaluation.genotype.tolist()))
        elif isinstance(event, Message):
            said.append(event.text)

    settings = SupernetSearchSettings(
        evaluations=30, population=8, algorithm="random", references=references
    )
    spread = ExecutionConfig(executor="serial", early="never")
    searched = searching.run(supernet, task, settings, form=FORM, spread=spread, listener=listener)
    names = {tuple(one.tolist()): name for name, one in supernet.references().items()}
    assert asked[:3] == list(names)  # first in any case
    assert searched.result.used == 30
    assert searched.result.evaluated == len(given)
    assert [point.label for point in searched.front.references] == list(names.values())
    archived = {tuple(one.genotype.tolist()) for one in searched.result.archive}
    assert archived <= set(given)
    if references == "first":
        assert given[:3] == list(names)
        assert said == []
    else:
        assert given[:3] != list(names)
        assert said[0].startswith("evaluated apart from the search: wide ")
        accuracy = searched.front.references[0].validation
        assert f"wide {100 * accuracy:.2f} %, deep " in said[0]


def test_references_that_the_search_finds_are_its_own_and_not_evaluated_again(
    supernet: Supernet, task: Classification, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = spied(monkeypatch)
    given: list[tuple[int, ...]] = []

    def listener(event: Event) -> None:
        if isinstance(event, ResultRecorded):
            given.append(tuple(event.evaluation.genotype.tolist()))

    settings = SupernetSearchSettings(
        evaluations=30, population=8, references="apart", initial_stitches=0.01
    )
    spread = ExecutionConfig(executor="serial", early="never")
    searched = searching.run(supernet, task, settings, form=FORM, spread=spread, listener=listener)
    names = {tuple(one.tolist()) for one in supernet.references().values()}
    found = names & set(given)
    assert found
    assert len(asked) == len(set(asked))
    assert searched.result.evaluated == len(given) == len(asked) - len(names - found)


@pytest.mark.parametrize("references", ["first", "apart"])
def test_networks_that_give_nan_are_one_line(task: Classification, references: str) -> None:
    networks = [ns.capture(build(n), task.validation.inputs[:2], name=n) for n in ("wide", "deep")]
    broken = as_they_are(Supernet(networks, ns.match(*networks)))
    with torch.no_grad():
        for tensor in broken.tensors().values():
            tensor.fill_(float("nan"))
    with pytest.raises(
        SearchError, match="wide cannot be evaluated on the validation samples"
    ) as caught:
        search(broken, task, references=references)
    assert "NaN or infinity" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_supernet_that_averages_otherwise_than_the_task_is_refused(
    supernet: Supernet, task: Classification
) -> None:
    with pytest.raises(SearchError, match="averages logits, the task's probabilities"):
        search(supernet, replace(task, ensemble="probabilities"))


def test_an_error_on_test_samples_keeps_the_front(
    supernet: Supernet, task: Classification, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = Evaluator.measured_together

    def failing(self: Evaluator, genotypes: Any, *measures: Any) -> Any:
        if task.test is not None and self._labels is task.test.labels:
            raise RuntimeError("out of memory")
        return measured(self, genotypes, *measures)

    monkeypatch.setattr(Evaluator, "measured_together", failing)
    front = search(supernet, task)
    assert len(front)
    assert all(point.test is None for point in front)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"algorithm": "gaa"}, "did you mean 'ga'"),
        ({"population": 2}, "population is 2"),
        ({"algorithm": "ga", "budget": 4}, "smaller than the population"),
        ({"population": "sweep"}, "'sweep', and algorithm 'surrogate' has none"),
        ({"budget": None}, "no end"),
        ({"seed": -1}, "seed is -1"),
        ({"settings": {"rate": 1}}, "algorithm 'surrogate': it has no setting 'rate'"),
        ({"device": "gpu"}, "device is 'gpu'"),
    ],
)
def test_settings_that_cannot_be_used(
    supernet: Supernet,
    task: Classification,
    settings: dict[str, Any],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Evaluator, "together", lambda *_: pytest.fail("evaluated"))
    with pytest.raises(SearchError, match=message):
        search(supernet, task, **settings)


def test_a_budget_below_the_population_is_enough_for_a_search_without_one(
    supernet: Supernet, task: Classification
) -> None:
    assert len(search(supernet, task, budget=4, population=8))


def test_an_interruption_ends_with_the_front_so_far(
    supernet: Supernet, task: Classification
) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, SearchAdvanced) and event.progress.evaluated == 20:
            raise KeyboardInterrupt

    settings = SupernetSearchSettings(evaluations=10**6, population=8)
    searched = searching.run(supernet, task, settings, form=FORM, listener=interrupt)
    assert searched.result.stopped == "interrupted"
    assert searched.result.evaluated == 20
    assert len(searched.front) > 0
    assert searched.front.references[-1].test is not None


def test_a_second_interruption_leaves_out_the_test_samples(
    supernet: Supernet, task: Classification, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured_together = Evaluator.measured_together

    def interrupted(self: Evaluator, genotypes: Any, *measures: Any) -> Any:
        if task.test is not None and self._labels is task.test.labels:
            raise KeyboardInterrupt
        return measured_together(self, genotypes, *measures)

    monkeypatch.setattr(Evaluator, "measured_together", interrupted)
    front = search(supernet, task)
    assert len(front) > 0
    assert {point.test for point in front} == {None}


def test_an_interruption_before_the_first_result_is_one(
    supernet: Supernet, task: Classification, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Evaluator, "together", interrupt)
    with pytest.raises(KeyboardInterrupt):
        search(supernet, task, spread=ExecutionConfig(executor="serial", in_flight=1))


def test_outputs_without_an_ensemble_have_no_differences(
    supernet: Supernet, task: Classification
) -> None:
    networks: Any = list(supernet.networks)
    single = as_they_are(Supernet(networks, supernet.matching, outputs=[(0,), (1,)]))
    front = search(single, task)
    assert [point.label for point in front.references] == ["wide", "deep"]
    assert {p.validation_difference for p in (*front.references, *front)} == {None}
    assert front.ensemble is None


def test_of_several_output_choices_the_ensemble_is_compared_with_wherever_it_stands(
    supernet: Supernet, task: Classification
) -> None:
    networks: Any = list(supernet.networks)
    turned = as_they_are(Supernet(networks, supernet.matching, outputs=[(0, 1), (0,), (1,)]))
    front = search(turned, task)
    assert [p.validation_difference is None for p in front.references] == [True, False, False]


def test_a_threshold_drops_what_is_under_it(supernet: Supernet, task: Classification) -> None:
    free = search(supernet, task, budget=200)
    accuracies = sorted(point.validation for point in free)
    limit = accuracies[-1] - 0.01
    steered = search(supernet, task, budget=200, threshold=limit)
    assert min(point.validation for point in steered) > accuracies[0]


def test_the_form_is_measured_where_none_is_given(supernet: Supernet, task: Classification) -> None:
    settings = SupernetSearchSettings(evaluations=20, population=8)
    spread = ExecutionConfig(executor="serial", threads=3)
    searched = searching.run(supernet, task, settings, spread=spread)
    assert searched.form.workers == 3
    assert not searched.form.channels_last  # rows have no layout


@pytest.mark.parametrize(
    "spread",
    [
        ExecutionConfig(executor="serial"),
        ExecutionConfig(executor="serial", precision="bfloat16", fused=False),
    ],
)
def test_the_front_is_measured_with_the_networks_own_operations(
    supernet: Supernet, task: Classification, spread: ExecutionConfig
) -> None:
    settings = SupernetSearchSettings(evaluations=60, population=8)
    searched = searching.run(supernet, task, settings, spread=spread)
    assert (searched.form.fused, searched.form.precision) == (spread.fused, spread.precision)
    evaluator = Evaluator(supernet, task, task.validation, searched.form.exact)
    for point in (*searched.front.points, *searched.front.references):
        assert point.validation == evaluator(np.array(point.genotype)).accuracy
    taken = {tuple(one.genotype.tolist()): one.objectives for one in searched.result.archive}
    expected = [
        abs(point.validation - objectives[0])
        for point in (*searched.front.points, *searched.front.references)
        if (objectives := taken.get(point.genotype)) is not None
    ]
    assert searched.difference == max(expected)


def nats(supernet: Supernet, samples: Samples, genotype: Any) -> float:
    """The slow, obvious cross-entropy of a network."""
    with torch.inference_mode():
        logits = supernet.subnetwork(genotype)(samples.inputs)
    return float(torch.nn.functional.cross_entropy(logits.double(), samples.labels))


def test_a_front_of_cross_entropy(supernet: Supernet, task: Classification) -> None:
    front = search(supernet, task, objective="cross-entropy")
    assert front.objective == "cross-entropy"
    for point in (*front.references, *front):
        found = nats(supernet, task.validation, point.genotype)
        assert point.cross_entropy["validation"] == pytest.approx(found, rel=1e-6)
        right = supernet.subnetwork(point.genotype)(task.validation.inputs).argmax(1)
        assert point.validation == int((right == task.validation.labels).sum()) / 41
    costs = [point.multiply_adds for point in front]
    scores = [-point.cross_entropy["validation"] for point in front]
    assert len(front) > 1
    assert costs == sorted(set(costs))
    assert scores == sorted(set(scores))
    head = front.table()[0]
    assert "validation cross-entropy" in head
    assert "validation cross-entropy" not in search(supernet, task).table()[0]


def test_evaluations_by_cross_entropy_may_end_early(
    supernet: Supernet, task: Classification
) -> None:
    settings = SupernetSearchSettings(
        algorithm="ga", objective="cross-entropy", evaluations=80, population=8, first_networks=0.0
    )
    form = replace(FORM, batch=8)
    early, whole = (
        searching.run(
            supernet,
            task,
            settings,
            form=form,
            spread=ExecutionConfig(executor="serial", in_flight=1, early=early),
        )
        for early in ("certain", "never")
    )
    assert early.result.stopped_early > 0
    assert whole.result.stopped_early == 0
    assert early.front == whole.front


@pytest.mark.parametrize("algorithm", ["ga", "gomea", "surrogate"])
def test_what_a_race_puts_on_the_front_was_evaluated_on_all_samples(
    supernet: Supernet, task: Classification, algorithm: str
) -> None:
    results: dict[tuple[int, ...], Evaluation] = {}

    def listener(event: Event) -> None:
        if isinstance(event, ResultRecorded):
            results[tuple(event.evaluation.genotype.tolist())] = event.evaluation

    settings = SupernetSearchSettings(
        algorithm=algorithm,
        evaluations=80,
        population=8,
        first_networks=0.0,
        racing=(10, 24),
    )
    form = replace(FORM, batch=8)
    spread = ExecutionConfig(executor="serial", in_flight=4)
    searched = searching.run(supernet, task, settings, form=form, spread=spread, listener=listener)
    evaluate = Evaluator(supernet, task, task.validation, form)
    assert 0 < searched.result.stopped_early < searched.result.evaluated
    for one in searched.result.archive:
        assert not results[tuple(one.genotype.tolist())].stopped_early
        assert one.objectives == pytest.approx(evaluate(one.genotype), rel=1e-6)


@pytest.mark.parametrize(
    "asked",
    [
        {"algorithm": "nsga2"},
        {"objective": "cross-entropy"},
        {"spread": ExecutionConfig(executor="serial", early="never")},
        {"recalibration": [torch.rand(8, 6)]},
    ],
)
def test_there_is_no_race_where_evaluations_do_not_end_early_or_are_by_no_shares(
    supernet: Supernet, task: Classification, asked: dict[str, Any]
) -> None:
    form = replace(FORM, batch=8)
    settings = {"algorithm": "ga", "form": form, "spread": ExecutionConfig(executor="serial")}
    plain, race = (
        search(supernet, task, racing=racing, **(settings | asked)) for racing in ((), (10, 24))
    )
    assert race == plain


def test_there_is_no_race_by_an_accuracy_that_is_no_sum(
    supernet: Supernet, task: Classification
) -> None:
    class Squared(Classification):
        def accuracy(self, outputs: Any, labels: torch.Tensor) -> float:
            return float(self.correct(outputs, labels).double().mean()) ** 2

    squared = Squared(validation=task.validation, classes=task.classes)
    form, spread = replace(FORM, batch=8), ExecutionConfig(executor="serial")
    plain, race = (
        search(supernet, squared, algorithm="ga", form=form, spread=spread, racing=racing)
        for racing in ((), (10, 24))
    )
    assert race == plain


def test_a_race_with_no_part_but_all_is_none(supernet: Supernet, task: Classification) -> None:
    plain, race = (
        searching.run(
            supernet,
            task,
            SupernetSearchSettings(
                algorithm="ga", evaluations=80, population=8, first_networks=0.0, racing=racing
            ),
            form=replace(FORM, batch=8),
            spread=ExecutionConfig(executor="serial", in_flight=4),
        )
        for racing in ((), (41, 2048))
    )
    assert plain.result.stopped_early > 0
    assert race.front == plain.front
    for one, other in zip(race.result.archive, plain.result.archive, strict=True):
        assert one.objectives == other.objectives
        assert one.genotype.tolist() == other.genotype.tolist()
    counts = ("evaluated", "skipped", "unchanged", "stopped_early", "used")
    assert [getattr(race.result, name) for name in counts] == [
        getattr(plain.result, name) for name in counts
    ]


@given(st.lists(st.integers(1, 100), max_size=4), st.integers(1, 40), st.integers(1, 90))
def test_parts_are_whole_batches_and_not_all_samples(
    sizes: list[int], batch: int, samples: int
) -> None:
    ends = searching.parts_of(sizes, batch, samples)
    assert list(ends) == sorted(set(ends))
    for size in sizes:
        rounded = next(end for end in range(size, size + batch) if end % batch == 0)
        assert (rounded in ends) == (rounded < samples)
    assert all(end % batch == 0 for end in ends)


def test_an_objective_that_is_not_known(supernet: Supernet, task: Classification) -> None:
    with pytest.raises(SearchError, match="objective is 'loss'; expected 'accuracy' or"):
        search(supernet, task, objective="loss")


def test_the_front_is_confirmed_on_samples_that_the_search_did_not_see(
    supernet: Supernet, task: Classification, tmp_path: Path
) -> None:
    plain = search(supernet, task)
    best = plain.points[-1]
    others = from_arrays(*arrays(57, 9), name="confirmation")
    right = supernet.subnetwork(best.genotype)(others.inputs).argmax(1)
    others = replace(others, labels=(right + 1) % 3)  # so that the best one is never right
    front = search(supernet, replace(task, confirmation=others))
    assert front.parts == ("validation", "confirmation", "test")
    assert plain.parts == ("validation", "test")
    ensemble = front.ensemble
    assert ensemble is not None
    proposed = (*front.points, *front.unconfirmed)
    assert {point.genotype for point in proposed} == {point.genotype for point in plain}
    assert best.genotype in [point.genotype for point in front.unconfirmed]
    for point in proposed:
        right = supernet.subnetwork(point.genotype)(others.inputs).argmax(1) == others.labels
        assert point.confirmation == int(right.sum()) / 57
        gap, difference = point.confirmation_gap, point.confirmation_difference
        assert gap is not None
        assert gap.difference == pytest.approx(point.validation - point.confirmation)
        assert ensemble.confirmation is not None
        if point.genotype != ensemble.genotype and difference is not None:
            assert difference.difference == pytest.approx(
                point.confirmation - ensemble.confirmation
            )
    assert front.samples["confirmation"] == 57
    count = front.samples["validation"]

    def right_of(point: FrontPoint) -> int:
        assert point.confirmation is not None
        return round(count * point.validation + 57 * point.confirmation)

    for point in front.unconfirmed:
        others = (*front, *front.references)
        assert any(one.cost <= point.cost and right_of(one) >= right_of(point) for one in others)
    front.to_json(tmp_path / "front.json")
    assert ns.Front.from_json(tmp_path / "front.json") == front


def joined(*ending: nn.Module) -> Supernet:
    model = nn.Sequential(nn.Flatten(), nn.Linear(72, 3), *ending)
    network = ns.capture(model, random_samples(2).inputs)
    return Supernet([network, network], Matching((), 0, 0, "none"))


def test_cross_entropy_is_of_logits() -> None:
    task = random_task()
    assert scored_by("accuracy", joined(nn.Softmax(1)), task) is task
    assert isinstance(scored_by("cross-entropy", joined(), task), CrossEntropyTask)
    with pytest.raises(SearchError, match=r'is of logits.*outputs = "probabilities"'):
        scored_by("cross-entropy", joined(nn.Softmax(1)), task)


def test_other_objectives_are_not_known() -> None:
    name: Any = "f1"
    with pytest.raises(SearchError, match="objective 'f1' is not known: expected one of accuracy"):
        scored_by(name, joined(), random_task())


@pytest.mark.parametrize("soft", [False, True])
def test_cross_entropy_and_calibration_are_left_out_of_probabilities(soft: bool) -> None:
    supernet, task = joined(*[nn.Softmax(1)] * soft), random_task()
    form = NumericsConfig(channels_last=False, batch=8, workers=1)
    [found] = measure(supernet, task, task.validation, [supernet.genotype()], form)
    assert (found.cross_entropy is None) is soft
    assert (found.calibration is None) is soft


def test_progress_names_what_is_searched_for(supernet: Supernet, task: Classification) -> None:
    seen: list[Progress] = []
    search(supernet, task, objective="cross-entropy", budget=20, on_progress=seen.append)
    assert {one.objectives for one in seen} == {("cross-entropy", "multiply-adds")}
    search(supernet, task, budget=20, on_progress=seen.append)
    assert seen[-1].objectives == ("accuracy", "multiply-adds")


@pytest.mark.parametrize("given", [None, 0.25])
def test_hypervolumes_count_from_the_worst_reference_rounded_down(
    supernet: Supernet, task: Classification, given: float | None
) -> None:
    told: list[Event] = []
    settings = SupernetSearchSettings(evaluations=60, population=8)
    found = searching.run(supernet, task, settings, floor=given, form=FORM, listener=told.append)
    worst = min(point.validation for point in found.front.references)
    floor = int(10 * worst) / 10 if given is None else given
    assert floor > 0
    objectives = [one.objectives for one in found.result.archive if one.objectives is not None]
    expected = hypervolume(
        *zip(*objectives, strict=True), ensemble=found.front.ensemble_cost, accuracy_floor=floor
    )
    assert expected > 0
    assert found.sweep[0].hypervolume == expected
    measured = [event for event in told if isinstance(event, SearchMeasured)]
    assert measured[-1].progress.hypervolume == expected


def test_a_task_of_ones_own_is_searched_whatever_its_class(
    supernet: Supernet, task: Classification
) -> None:
    class Plain(ns.Task):
        measure = "own share"

        def __init__(self) -> None:
            self.validation = task.validation

        combine, loss = Classification.combine, Classification.loss
        output, classes, _logits = None, 3, Classification._logits

        def correct(self, outputs: Any, labels: torch.Tensor) -> torch.Tensor:
            return torch.as_tensor(outputs.argmax(1) == labels)

        def accuracy(self, outputs: Any, labels: torch.Tensor) -> float:
            return float(self.correct(outputs, labels).sum()) / len(labels)

    own = Plain()
    names = ("validation", "combine", "loss", "correct", "accuracy")
    alike = type("Alike", (), {name: getattr(own, name) for name in names})()
    for name in ("training", "test", "output"):
        setattr(alike, name, None)
    alike.ensemble = "logits"
    plain = search(supernet, replace(task, training=None, test=None))
    for one in (own, alike):
        front = search(supernet, one)
        assert [point.genotype for point in front] == [point.genotype for point in plain]
        assert [point.validation for point in front] == [point.validation for point in plain]
        assert front.points[0].cross_entropy == {}
    assert (search(supernet, own).measure, plain.measure) == ("own share", "accuracy")


def elementwise_together(supernet: Supernet, genotypes: Any) -> float:
    return max(supernet.elementwise(genotype) for genotype in genotypes)


OWN = Cost("elementwise", "operations", Supernet.elementwise, elementwise_together)


@pytest.mark.parametrize(("cost", "unit"), [("parameters", "parameters"), (OWN, "operations")])
def test_a_front_against_another_cost(
    supernet: Supernet, task: Classification, cost: str | Cost, unit: str
) -> None:
    front = search(supernet, task, cost=cost)
    of = find_cost(cost).of
    assert (front.cost_name, front.unit) == (find_cost(cost).name, unit)
    for point in (*front.references, *front):
        assert point.cost == of(supernet, point.genotype)
        assert point.multiply_adds == supernet.macs(point.genotype)
    costs = [point.cost for point in front]
    assert costs == sorted(set(costs))
    assert front.pick(max_cost=costs[0]).label == "P1"


def test_a_cost_that_is_not_known(supernet: Supernet, task: Classification) -> None:
    with pytest.raises(SearchError, match="cost is 'parameter'; did you mean 'parameters'"):
        search(supernet, task, cost="parameter")

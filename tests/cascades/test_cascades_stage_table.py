"""Answers of candidates: a block of samples at a time, as if it were all of them at once."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from cascades_examples import random_table
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

import netstitch as ns
from netstitch.cascades import stage_table as stage_tables
from netstitch.cascades.answers import AnswerRule
from netstitch.cascades.stage_table import Answered, Answers
from netstitch.cascades.terms import Stage
from netstitch.errors import DataError
from netstitch.stitching.cascade import Confidence
from netstitch.stitching.cascade_terms import Term
from netstitch.stitching.subgraph import Averaging
from netstitch.tasks import Segmentation, as_task, confidence, task_outputs
from netstitch.tasks.task import Task

CLASSES = 3


class Held(TorchDispatchMode):
    """The most bytes that were held at once by tensors made while it is active."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        given = {one.untyped_storage().data_ptr() for one in args if isinstance(one, torch.Tensor)}
        for one in made if isinstance(made, (tuple, list)) else [made]:
            if isinstance(one, torch.Tensor) and one.untyped_storage().data_ptr() not in given:
                self._add(one.untyped_storage())
        return made

    def _add(self, storage: torch.UntypedStorage) -> None:
        place, size = storage.data_ptr(), storage.nbytes()
        if place in self._known:
            return
        self._known.add(place)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._freed, place, size)

    def _freed(self, place: int, size: int) -> None:
        self._known.discard(place)
        self.now -= size


def mapped(path: Path, *shape: int) -> torch.Tensor:
    """Random outputs in a file that is mapped."""
    values = np.memmap(path, np.float32, mode="w+", shape=shape)
    values[:] = np.random.default_rng(0).normal(size=shape)
    return torch.from_numpy(values)


def maps(samples: int, size: int, seed: int = 0) -> Segmentation:
    """A task of label maps, half of whose pixels do not count, and more where the image is late."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (samples, size, size), generator=generator).to(torch.uint8)
    share = torch.linspace(0, 1, samples)[:, None, None]
    labels[torch.rand(labels.shape, generator=generator) < share] = 255
    inputs = torch.rand(1, 3, size, size).expand(samples, -1, -1, -1)
    return Segmentation(validation=ns.Samples(inputs, labels), classes=CLASSES)


def answers_of(
    task: Task, outputs: torch.Tensor, kind: Confidence = "probability", **fields: Any
) -> Answers:
    """Answers of a candidate a network, and of all of them averaged, which are the references."""
    terms = [Term((index,), index) for index in range(len(outputs))]
    stages = [Stage((index,), (term,)) for index, term in enumerate(terms)]
    stages.append(Stage((99,), tuple(terms)))
    by_term: Mapping[Term, torch.Tensor] = dict(zip(terms, outputs, strict=True))
    rule = AnswerRule(task, kind, Averaging(), **fields)
    labels = task.validation.labels
    return Answers(stages, by_term, labels, rule, task, references=range(len(stages)))


def all_answers(answers: Answers, count: int) -> Sequence[Answered | None]:
    pairs = [(one, other) for one in range(count) for other in range(count) if one != other]
    paths = [*((one,) for one in range(count)), *pairs]
    return [answers(path, mean) for path in paths for mean in (False, True)]


def assert_same(found: Sequence[Answered | None], expected: Sequence[Answered | None]) -> None:
    assert sum(one is not None for one in expected) > 5
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        for values, wanted in zip(one or (), other or (), strict=True):
            np.testing.assert_allclose(values, wanted, rtol=1e-6, atol=1e-7)


@settings(max_examples=12, deadline=None)
@given(
    st.integers(0, 1000),
    st.integers(1, 9),
    st.sampled_from(confidence.CONFIDENCES),
    st.sampled_from([(), (1, 4)]),
)
def test_blocks_of_any_size_answer_as_all_samples_at_once(
    seed: int, size: int, kind: Confidence, references: Sequence[int]
) -> None:
    def table() -> Any:
        return random_table(5, 23, seed, kind, references)

    whole = table()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage_tables, "BLOCK", size * 4 * 4)  # so many samples of one term
        blocks = table()
        found = all_answers(blocks.answers, 5)
    assert blocks.answers.temperatures == whole.answers.temperatures
    np.testing.assert_array_equal(blocks.right, whole.right)
    np.testing.assert_allclose(blocks.score, whole.score, rtol=1e-6)
    np.testing.assert_allclose(blocks.confidence, whole.confidence, rtol=1e-6)
    assert_same(found, all_answers(whole.answers, 5))


@pytest.mark.parametrize("kind", ["probability", "agreement"])
def test_maps_are_answered_in_blocks_too(kind: Confidence, monkeypatch: pytest.MonkeyPatch) -> None:
    task, outputs = maps(7, 6), torch.randn(2, 7, CLASSES, 6, 6)
    whole = answers_of(task, outputs, kind)
    expected = all_answers(whole, 3)
    monkeypatch.setattr(stage_tables, "BLOCK", 2 * 4 * CLASSES * 36)
    assert_same(all_answers(answers_of(task, outputs, kind), 3), expected)


def test_the_likeliest_reference_is_the_same_however_pixels_are_spread_over_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = maps(8, 6)
    labels = task.validation.labels.long()
    logits = torch.randn(2, 8, CLASSES, 6, 6)
    right = torch.nn.functional.one_hot(labels % 255 % CLASSES, CLASSES).movedim(-1, 1)
    logits[0, :2] += 4 * right[:2]  # the images with the most pixels that count
    logits[1, 2:] += 4 * right[2:]
    task = Segmentation(validation=task.validation, classes=CLASSES)
    judged = []
    for block in (stage_tables.BLOCK, 1):
        monkeypatch.setattr(stage_tables, "BLOCK", block)
        answers = answers_of(task, logits)
        judged.append([answers((one,), False) for one in range(3)])
    for one, other in zip(*judged, strict=True):
        assert one is not None
        assert other is not None
        np.testing.assert_allclose(one[1], other[1], rtol=1e-6)


def test_a_task_that_has_a_mean_loss_alone_is_weighed_by_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Own:
        training, test, output, ensemble = None, None, None, "logits"
        confidences = ("probability",)

        def __init__(self, task: ns.Classification) -> None:
            self.validation = task.validation
            self.sureness, self.likely = task.sureness, task.likely
            self.loss, self.correct = task.loss, task.correct
            self.combine, self.accuracy = task.combine, task.accuracy

    labels = torch.zeros(5, dtype=torch.long)
    task = ns.Classification(validation=ns.Samples(torch.rand(5, 1), labels), classes=2)
    # The last sample, which is a block of its own, has no more weight than others.
    first, second = torch.zeros(5, 2), torch.zeros(5, 2)
    first[:4, 0], first[4, 1] = 2.0, 2.5
    outputs = torch.stack([first, second])
    expected = all_answers(answers_of(as_task(Own(task)), outputs), 3)
    monkeypatch.setattr(stage_tables, "BLOCK", 4 * 4 * 2)
    found = all_answers(answers_of(as_task(Own(task)), outputs), 3)
    assert_same(found, expected)
    assert_same(found, all_answers_untempered(task, outputs))


def all_answers_untempered(task: ns.Classification, outputs: torch.Tensor) -> Any:
    """Those of the task itself, which has a cross-entropy of each sample, at temperature 1."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AnswerRule, "temperature", lambda *_: 1.0)
        return all_answers(answers_of(task, outputs), 3)


@pytest.mark.parametrize("kind", confidence.CONFIDENCES)
def test_no_more_than_some_blocks_of_outputs_in_files_are_copied(
    kind: Confidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = torch.arange(4_000) % 50
    task = ns.Classification(validation=ns.Samples(torch.rand(4_000, 1), labels), classes=50)
    outputs = mapped(tmp_path / "outputs", 3, 4_000, 50)  # 800 kB a term
    assert_little_is_held(task, outputs, kind, monkeypatch, 60_000)


def test_no_more_than_some_blocks_of_maps_in_files_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, outputs = maps(80, 40), mapped(tmp_path / "outputs", 2, 80, CLASSES, 40, 40)  # 1.5 MB
    assert_little_is_held(task, outputs, "probability", monkeypatch, 100_000)


def assert_little_is_held(
    task: Task,
    outputs: torch.Tensor,
    kind: Confidence,
    monkeypatch: pytest.MonkeyPatch,
    block: int,
) -> None:
    monkeypatch.setattr(stage_tables, "BLOCK", block)
    monkeypatch.setattr(task_outputs, "CHECKED", block // 4)
    monkeypatch.setattr(confidence, "NUMBERS", block // 4)
    with Held() as held:
        answers = answers_of(task, outputs, kind)
        for path in ((0,), (0, 1), (len(outputs),)):
            assert answers(path, False) is not None
    # The answer, that of the best reference, logits in float64, softmaxes, and labels of pixels.
    assert block < held.most < 10 * block < outputs[0].nbytes


def test_samples_that_are_not_finite_are_named_by_their_place_among_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = ns.Classification(
        validation=ns.Samples(torch.rand(9, 1), torch.zeros(9, dtype=torch.long)), classes=2
    )
    outputs = torch.full((2, 9, 2), 0.5)
    outputs[1, 7, 0] = torch.nan
    monkeypatch.setattr(stage_tables, "BLOCK", 1)
    with pytest.raises(DataError, match="of 1 of 9 samples, the first is sample 7"):
        answers_of(task, outputs, probabilities=True)

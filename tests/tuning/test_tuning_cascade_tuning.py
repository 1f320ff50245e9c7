"""Cascades that are trained: each stage on the samples that reach it, and thresholds anew."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from exit_examples import random_weights
from small_supernets import random_samples, random_task, small_supernet

import netstitch as ns
from netstitch.cascades.answers import answer_rule
from netstitch.cascades.running import run_cascades
from netstitch.errors import FittingError
from netstitch.evaluation import NumericsConfig
from netstitch.events import Event, ignore
from netstitch.stitching.cascade import Cascade, CascadeStage, Confidence
from netstitch.stitching.exit import Exit
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Classification
from netstitch.tuning import FineTuneSettings, cascade_tuning, give
from netstitch.tuning.cascade_tuning import TaughtCascade, checkpoints, taught_cascade
from netstitch.tuning.distillation import Lesson
from netstitch.tuning.teachers import Teacher
from netstitch.tuning.trained_weights import keys_read

FORM = NumericsConfig(channels_last=False, batch=8, workers=1)
EXIT = Exit(0, ("relu",))


@pytest.fixture
def supernet() -> Supernet:
    return small_supernet()


@pytest.fixture
def task() -> Classification:
    return replace(random_task(80), training=random_samples(80, 7, name="training"))


def plain(supernet: Supernet, task: Classification, first: Any = "wide") -> Cascade:
    """A network or exit, of which most validation samples go on to the ensemble."""
    one = first if isinstance(first, Exit) else tuple(supernet.genotype(first).tolist())
    with torch.no_grad():
        sure = supernet.subnetwork(one)(task.validation.inputs).softmax(1).max(1).values
    last = tuple(supernet.genotype("ensemble").tolist())
    return Cascade((CascadeStage(one, float(sure.quantile(0.8))), CascadeStage(last)))


def taught(
    supernet: Supernet,
    task: Classification,
    cascade: Cascade,
    *,
    checkpoint: Path | None = None,
    progress: Any = None,
    listener: Any = ignore,
    **settings: Any,
) -> TaughtCascade:
    """Learn what the other network puts out, which leaves something to learn for all stages."""
    defaults: dict[str, Any] = {"trained": "all", "epochs": 3, "batch_size": 8}
    return taught_cascade(
        *(supernet, task, cascade, Teacher(supernet, "deep")),
        FineTuneSettings(**{**defaults, "learning_rate": 1e-2, **settings}),
        checkpoint=checkpoint,
        progress=progress,
        listener=listener,
    )


def test_a_cascade_comes_nearer_to_its_teacher_at_its_mean_cost(
    supernet: Supernet, task: Classification
) -> None:
    cascade = plain(supernet, task)
    before = {key: tensor.clone() for key, tensor in supernet.tensors().items()}
    found = taught(supernet, task, cascade)
    assert all(torch.equal(before[key], tensor) for key, tensor in supernet.tensors().items())
    assert found.held_out.after < found.held_out.before
    assert found.cascade.thresholds != cascade.thresholds
    rule = answer_rule(supernet, task, "probability")
    [was] = run_cascades(supernet, rule, task.validation, [cascade], FORM, "cpu", 10**9)
    give(supernet, found.weights)
    [now] = run_cascades(supernet, rule, task.validation, [found.cascade], FORM, "cpu", 10**9)
    assert was.shares(2) == pytest.approx(now.shares(2), abs=1.01 / len(task.validation))


def test_later_stages_are_trained_on_what_reaches_them_with_weights_of_their_own(
    supernet: Supernet, task: Classification, monkeypatch: pytest.MonkeyPatch
) -> None:
    lessons: list[Lesson] = []
    real = cascade_tuning.distil

    def spying(*rest: Any, **options: Any) -> Any:
        lessons.append(next(one for one in rest if isinstance(one, Lesson)))
        return real(*rest, **options)

    monkeypatch.setattr(cascade_tuning, "distil", spying)
    cascade = plain(supernet, task)
    found = taught(supernet, task, cascade)
    first, last = cascade.stages
    own = keys_read(supernet, first.subnetwork).keys()
    assert found.trainings[0].weights.keys() <= own
    assert found.trainings[1].weights.keys().isdisjoint(own)
    assert found.trainings[1].weights.keys() <= keys_read(supernet, last.subnetwork).keys()

    give(supernet, found.trainings[0].weights)
    assert task.training is not None
    stage = found.cascade.stages[0]
    with torch.no_grad():
        outputs = supernet.subnetwork(stage.subnetwork)(task.training.inputs)
    sure = outputs.softmax(1).max(1).values
    unsure = set((sure < stage.threshold).nonzero()[:, 0].tolist())
    assert len(lessons[0].training) == 72
    assert set(lessons[1].training.tolist()) == unsure & set(lessons[0].training.tolist())
    assert set(lessons[1].held_out.tolist()) == unsure & set(lessons[0].held_out.tolist())


def test_an_exit_is_a_stage_too(supernet: Supernet, task: Classification) -> None:
    supernet.set_exits([EXIT], random_weights(supernet, [EXIT]))
    found = taught(supernet, task, plain(supernet, task, EXIT))
    assert found.weights.keys() & supernet.exit_weights().keys()
    assert found.held_out.after <= found.held_out.before


def test_training_that_was_stopped_goes_on_to_the_same_bits(
    supernet: Supernet, task: Classification, tmp_path: Path
) -> None:
    cascade, path, calls = plain(supernet, task), tmp_path / "c.training", 0
    expected = taught(supernet, task, cascade, epochs=1)

    def stop(*_: object) -> None:
        nonlocal calls
        calls += 1
        if calls % 9 == 0:
            raise KeyboardInterrupt

    for _ in range(20):
        try:
            found = taught(supernet, task, cascade, epochs=1, checkpoint=path, progress=stop)
            break
        except KeyboardInterrupt:
            assert path.exists()
    assert calls > 20
    assert all(each.exists() for each in checkpoints(path, cascade))
    assert (found.cascade, found.held_out) == (expected.cascade, expected.held_out)
    assert all(torch.equal(found.weights[key], expected.weights[key]) for key in expected.weights)


def test_a_cascade_that_comes_no_nearer_stays_as_it_was(
    supernet: Supernet, task: Classification, monkeypatch: pytest.MonkeyPatch
) -> None:
    distances = iter([0.1, 0.2])
    monkeypatch.setattr(cascade_tuning, "distance", lambda *_: next(distances))
    told: list[Event] = []
    cascade = plain(supernet, task)
    found = taught(supernet, task, cascade, epochs=1, listener=told.append)
    assert found.cascade == cascade
    assert not found.weights
    assert found.held_out.after == found.held_out.before == 0.1
    assert "the cascade stays as it was" in str(told[0])


def test_a_stage_that_few_samples_reach_is_not_trained(
    supernet: Supernet, task: Classification
) -> None:
    told: list[Event] = []
    found = taught(
        supernet, task, plain(supernet, task), epochs=1, batch_size=72, listener=told.append
    )
    assert len(found.trainings) == 1
    assert "stage 2 is not trained" in str(told[0])


def test_a_stage_that_is_the_teacher_has_nothing_to_learn(
    supernet: Supernet, task: Classification
) -> None:
    told: list[Event] = []
    cascade = plain(supernet, task)
    deep = CascadeStage(tuple(supernet.genotype("deep").tolist()))
    cascade = replace(cascade, stages=(cascade.stages[0], deep))
    found = taught(supernet, task, cascade, epochs=1, listener=told.append)
    assert len(found.trainings) == 1
    assert "stage 2 is the teacher, 'deep', and stays" in str(told[0])


def test_a_cascade_that_comes_as_near_stays_too(supernet: Supernet, task: Classification) -> None:
    cascade = plain(supernet, task)
    found = taught(supernet, task, cascade, epochs=1, learning_rate=1e-30)
    assert found.cascade == cascade


@pytest.mark.parametrize("kind", ["margin", "entropy"])
def test_other_confidences(supernet: Supernet, task: Classification, kind: Confidence) -> None:
    cascade = replace(plain(supernet, task), confidence=kind)
    stages = (replace(cascade.stages[0], threshold=0.05), cascade.stages[1])
    found = taught(supernet, task, replace(cascade, stages=stages), epochs=1)
    assert found.cascade.confidence == kind


def test_what_cannot_be_trained(supernet: Supernet, task: Classification) -> None:
    cascade = plain(supernet, task)
    with pytest.raises(FittingError, match="stage 1 of the cascade decides by 'agreement'"):
        taught(supernet, task, replace(cascade, confidence="agreement"))
    with pytest.raises(FittingError, match="the cascade has no stitches to train"):
        taught(supernet, task, cascade, trained="stitches")
    with pytest.raises(FittingError, match="and not labels; give teacher="):
        ns.finetune(supernet, cascade, task)


def test_a_cascade_from_python(supernet: Supernet, task: Classification) -> None:
    cascade = plain(supernet, task)
    tuned = ns.finetune(
        *(supernet, cascade, task),
        teacher="deep",
        trained="all",
        epochs=1,
        batch_size=8,
        learning_rate=1e-2,
    )
    assert isinstance(tuned.subnetwork, Cascade)
    assert len(tuned.trainings) == 2
    assert tuned.held_out is not None
    rule = answer_rule(supernet, task, "probability")
    [found] = run_cascades(
        *(tuned.supernet, rule, task.validation, [tuned.subnetwork], FORM, "cpu", 10**9)
    )
    with torch.no_grad():
        answers = tuned.module(task.validation.inputs)
    right = task.correct(answers, task.validation.labels).numpy()
    assert (right == found.metrics.correct).all()

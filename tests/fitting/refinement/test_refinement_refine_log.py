"""Progress, the held-out curve and the budget, by steps or by time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refinement_examples import fitted, training

from netstitch.events import Message, ignore
from netstitch.files.checkpoint import TrainingCheckpoint
from netstitch.fitting.refinement.refine_log import RefineLog
from netstitch.fitting.refinement.refine_report import CurvePoint
from netstitch.fitting.refinement.refine_training import Training


def at(folder: Path) -> TrainingCheckpoint:
    return TrainingCheckpoint(folder / "state", "form", "refining", "of this")


Told = list[tuple[int, int | None, str]]


def followed(
    steps: int | None,
    seconds: float | None,
    *,
    step_takes: float = 0.5,
    measuring_takes: float = 0.0,
    fractions: list[float] | None = None,
    before: Callable[[Training], None] | None = None,
    **more: Any,
) -> tuple[RefineLog, Told]:
    """A log of a training whose steps do nothing but take their time.

    fractions: gets how far the training is at the beginning of each step. before: changes the
    training before it begins.
    """
    now, told = [100.0], Told()

    def progress(done: int, total: int | None, text: str) -> None:
        told.append((done, total, text))

    def measure() -> float:
        now[0] += measuring_takes
        return 1.0 / (1 + trained.step)

    trained = training(fitted(), steps=steps, seconds=seconds)
    if before is not None:
        before(trained)
    log = RefineLog(
        trained,
        measure,
        **{
            "checkpoint": None,
            "every": 1e9,
            "clock": lambda: now[0],
            "progress": progress,
            "listener": ignore,
        }
        | more,  # type: ignore[arg-type]
    )
    log.begin()
    while not log.spent:
        if fractions is not None:
            fractions.append(log.fraction)
        trained.step += 1
        now[0] += step_takes
        log.after(0.5)
    return log, told


def test_a_budget_of_steps() -> None:
    log, told = followed(40, None)
    assert [done for done, _, _ in told] == list(range(41))
    assert {total for _, total, _ in told} == {40}
    assert told[0][2] == "refine, begins, held-out 1"
    assert told[-1][2] == "refine, loss 0.5, held-out 0.0244"
    assert [point.step for point in log.curve] == list(range(0, 41, 4))
    assert log.curve[-1] == CurvePoint(40, 20.0, 1 / 41)


def test_a_budget_of_time_is_told_with_a_guess_of_the_steps() -> None:
    log, told = followed(None, 10.0)
    assert told[0] == (0, None, "refine, begins, 0 of 10 s, held-out 1")
    assert [total for _, total, _ in told[1:]] == [20] * 20
    assert "loss 0.5, 5 of 10 s" in told[10][2]
    assert len(log.curve) == 11


def test_measuring_after_the_time_makes_the_steps_no_fewer() -> None:
    _, told = followed(100, 10.0, measuring_takes=0.6)
    assert told[-1][0] == told[-1][1]
    assert all(total is not None and done <= total for done, total, _ in told)


def test_whichever_budget_ends_first() -> None:
    assert followed(6, 100.0)[0].training.step == 6
    log, told = followed(100, 3.0)
    assert log.training.step == log.curve[-1].step == 6
    assert [total for _, total, _ in told] == [100, *[6] * 6]


@pytest.mark.parametrize(
    "seconds, step_takes, steps",
    [(10.0, 3.0, 3), (8.6, 3.0, 3), (8.5, 3.0, 2), (2.0, 3.0, 1), (10.0, 100.0, 1)],
)
def test_no_step_begins_that_would_end_a_twentieth_after_the_time_but_one_is_done(
    seconds: float, step_takes: float, steps: int
) -> None:
    for asked in (None, 50):
        log, told = followed(asked, seconds, step_takes=step_takes)
        assert log.training.step == log.curve[-1].step == steps
        assert told[-1][:2] == (steps, steps)


@pytest.mark.parametrize(
    "steps, seconds, text",
    [
        (None, 50.0, "refining has time for about 105 steps"),
        (200, 50.0, "refining has time for about 105 of 200 steps"),
        (100, 50.0, None),
        (100, None, None),
    ],
)
def test_what_the_time_allows_is_told_after_the_first_steps(
    steps: int | None, seconds: float | None, text: str | None
) -> None:
    told: list[Message] = []
    log, _ = followed(steps, seconds, listener=told.append)
    assert told == ([] if text is None else [Message(text)])
    assert not log.training.gains.resting


def test_few_steps_go_to_the_stitches_of_the_highest_loss(tmp_path: Path) -> None:
    told: list[Message] = []
    count = len(fitted().stitches)

    def begun(trained: Training) -> None:
        trained.gains.begin({stitch: float(stitch) for stitch in range(count)})

    log, _ = followed(
        None, 30.0, step_takes=10.0, listener=told.append, before=begun, checkpoint=at(tmp_path)
    )
    (message,) = told
    assert message.warning
    assert message.text == (
        f"refining has time for about 3 steps, fewer than the {count} stitches: they go to those "
        "of the highest loss; more seconds would reach all"
    )
    awake = set(range(count)) - log.training.gains.resting
    assert awake == set(np.flatnonzero(log.training.gains.shares()))
    assert awake == set(range(count - 3, count))
    log.save()
    # More time is enough for all: that is known as soon as training goes on.
    more, _ = followed(None, 1e4, step_takes=10.0, before=begun, checkpoint=at(tmp_path))
    assert not more.training.gains.resting


def test_one_step_is_done_where_measuring_takes_all_of_the_time() -> None:
    assert followed(None, 1.0, measuring_takes=2.0)[0].training.step == 1


def test_a_limit_of_time_that_is_not_reached_changes_nothing() -> None:
    seen: list[list[float]] = []
    for seconds in (None, 100.0):
        seen.append([])
        followed(6, seconds, fractions=seen[-1])
    assert seen[0] == seen[1] == [step / 6 for step in range(6)]


def test_few_steps_make_a_short_curve() -> None:
    assert [point.step for point in followed(2, None)[0].curve] == [0, 1, 2]


def test_checkpoints_are_written_at_the_beginning_and_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    def write(self: TrainingCheckpoint, document: Any, tensors: Any) -> None:
        written.append(document["step"])

    monkeypatch.setattr(TrainingCheckpoint, "write", write)
    log, _ = followed(20, None, checkpoint=at(tmp_path), every=2.5)
    assert written == [0, 5, 10, 15, 20]
    log.training.whole = False
    log.save()
    assert written[-1] == 20
    assert len(written) == 5


def test_going_on_takes_up_time_and_curve(tmp_path: Path) -> None:
    file = at(tmp_path)
    whole, _ = followed(10, None, checkpoint=file)
    whole.save()
    assert followed(10, None, checkpoint=file)[0].curve == whole.curve
    longer, told = followed(20, None, checkpoint=file)
    assert longer.curve[: len(whole.curve)] == whole.curve
    assert longer.elapsed == pytest.approx(10.0)
    assert told[0][0] == 10

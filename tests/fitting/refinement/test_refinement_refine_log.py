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


def at(folder: Path) -> TrainingCheckpoint:
    return TrainingCheckpoint(folder / "state", "form", "refining", "of this")


Told = list[tuple[int, int | None, str]]

STITCHES, DRAWS = len(fitted().stitches), 2
"""Stitches of the supernet, and subnetworks of a step."""


def taking(seconds: float, *first: float) -> Callable[[int], float]:
    """Steps of so many seconds, the first ones of others."""
    return lambda step: first[step - 1] if step <= len(first) else seconds


def followed(
    steps: int | None,
    seconds: float | None,
    *,
    step_takes: Callable[[int], float] = lambda step: 0.5,
    measuring_takes: float = 0.0,
    stop: int | None = None,
    seen: Callable[[RefineLog], None] = lambda log: None,
    **more: Any,
) -> tuple[RefineLog, Told]:
    """A log of a training whose steps do nothing but take their time.

    Each stitch's loss before is its index. stop: the step at which it is stopped. seen: called at
    the beginning of each step.
    """
    now, told = [100.0], Told()

    def progress(done: int, total: int | None, text: str) -> None:
        told.append((done, total, text))

    def measure() -> float:
        now[0] += measuring_takes
        return 1.0 / (1 + trained.step)

    trained = training(fitted(), steps=steps, seconds=seconds, subnetworks=1)
    trained.gains.begin({stitch: float(stitch) for stitch in range(STITCHES)})
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
    while not log.spent and trained.step != stop:
        seen(log)
        trained.step += 1
        now[0] += step_takes(trained.step)
        log.after(0.5)
    if stop is not None:
        log.save()
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
        log, told = followed(asked, seconds, step_takes=taking(step_takes))
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
    slow, file = taking(10.0), at(tmp_path)
    log, _ = followed(None, 20.0, step_takes=slow, listener=told.append, checkpoint=file)
    (message,) = told
    assert message.warning
    assert message.text == (
        "refining has time for about 2 steps of 2 subnetworks, fewer than one for each of "
        f"{STITCHES} stitches: as long as that is so, only those of the highest loss are trained; "
        "more seconds would reach more of them"
    )
    awake = set(range(STITCHES)) - log.training.gains.resting
    assert awake == set(np.flatnonzero(log.training.gains.shares()))
    assert awake == set(range(STITCHES - 2 * DRAWS, STITCHES))
    log.save()
    # More time is enough for all: that is known as soon as training goes on.
    more, _ = followed(None, 1e4, step_takes=slow, checkpoint=file)
    assert not more.training.gains.resting


def test_steps_are_enough_where_their_subnetworks_are_one_a_stitch() -> None:
    told: list[Message] = []
    steps = -(-STITCHES // DRAWS)
    log, _ = followed(None, 10.0 * steps, step_takes=taking(10.0), listener=told.append)
    assert told == [Message(f"refining has time for about {steps} steps")]
    assert log.training.step == steps < STITCHES
    assert not log.training.gains.resting


def test_no_stitch_rests_longer_than_steps_are_slow() -> None:
    told: list[Message] = []
    resting: list[int] = []
    followed(
        None,
        40.0,
        step_takes=taking(0.5, 10.0, 10.0),
        listener=told.append,
        seen=lambda log: resting.append(len(log.training.gains.resting)),
    )
    assert resting[1] == resting[2] == STITCHES - 4 * DRAWS
    assert not any(resting[3:])
    assert [message.warning for message in told] == [True]


def test_steps_that_become_slow_are_told_too() -> None:
    told: list[Message] = []
    followed(
        None,
        40.0,
        step_takes=taking(30.0, 0.5, 0.5, 0.5),
        measuring_takes=0.1,
        listener=told.append,
    )
    assert [message.warning for message in told] == [False, True]


def test_nothing_rests_where_the_time_is_too_short_for_steps_that_are_given() -> None:
    told: list[Message] = []
    log, _ = followed(50, 20.0, step_takes=taking(10.0), listener=told.append)
    assert told == [
        Message(
            "refining has time for about 2 of 50 steps of 2 subnetworks, fewer than one for each "
            f"of {STITCHES} stitches; more seconds would reach more of them",
            warning=True,
        )
    ]
    assert not log.training.gains.resting


@pytest.mark.parametrize("seconds, measuring_takes", [(200.0, 5.0), (60.0, 10.0)])
def test_held_out_losses_take_their_time_of_what_is_foreseen(
    seconds: float, measuring_takes: float
) -> None:
    told: list[Message] = []
    log, _ = followed(
        None,
        seconds,
        step_takes=taking(2.0),
        measuring_takes=measuring_takes,
        listener=told.append,
    )
    foreseen = int(told[0].text.split("about ")[1].split()[0])
    assert foreseen == pytest.approx(log.training.step, rel=0.1, abs=1)


def test_going_on_decides_as_if_training_had_not_stopped(tmp_path: Path) -> None:
    kinds: dict[str, Any] = {"step_takes": taking(2.0), "measuring_takes": 10.0}
    resting: dict[int, set[int]] = {}

    def seen(log: RefineLog) -> None:
        rests = log.training.gains.resting
        assert resting.setdefault(log.training.step, rests) == rests

    whole, _ = followed(None, 60.0, seen=seen, **kinds)
    assert resting[2] == {0, 1}
    for stop in (2, 4):
        file = at(tmp_path / f"{stop}")
        file.path.parent.mkdir()
        followed(None, 60.0, stop=stop, checkpoint=file, **kinds)
        gone_on, _ = followed(None, 60.0, seen=seen, checkpoint=file, **kinds)
        assert gone_on.curve == whole.curve


def test_checkpoints_that_do_not_know_the_pace_can_be_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = TrainingCheckpoint.write

    def write_less(self: TrainingCheckpoint, document: dict[str, Any], tensors: Any) -> None:
        write(self, {k: v for k, v in document.items() if k not in ("pace", "measuring")}, tensors)

    monkeypatch.setattr(TrainingCheckpoint, "write", write_less)
    kinds: dict[str, Any] = {"measuring_takes": 10.0, "checkpoint": at(tmp_path)}
    followed(None, 200.0, stop=3, **kinds)
    told: list[Message] = []
    followed(None, 200.0, listener=told.append, **kinds)
    assert [message.warning for message in told] == [False]


def test_one_step_is_done_where_measuring_takes_all_of_the_time() -> None:
    assert followed(None, 1.0, measuring_takes=2.0)[0].training.step == 1


def test_a_limit_of_time_that_is_not_reached_changes_nothing() -> None:
    slow_first = taking(0.5, 40.0, 40.0)  # by which there is no time for many
    for seconds in (None, 115.0):
        states: list[tuple[float, set[int]]] = []

        def seen(log: RefineLog, states: list[tuple[float, set[int]]] = states) -> None:
            states.append((log.fraction, log.training.gains.resting))

        followed(6, seconds, step_takes=slow_first, seen=seen)
        assert states == [(step / 6, set()) for step in range(6)]


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

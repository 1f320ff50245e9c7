"""A training that was stopped goes on bit for bit; other files are refused."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from refinement_examples import StoppedError, batches, equal, fitted, judge_little, stop_at, weights
from torch import Tensor

from netstitch.errors import StorageError
from netstitch.fitting import RefineReport
from netstitch.fitting.refinement.refine_training import Training
from netstitch.fitting.refinement.views import Views

Whole = tuple[dict[str, Tensor], RefineReport]


def without_times(report: RefineReport) -> dict[str, Any]:
    document = report.to_json() | {"seconds": None}
    for point in document["curve"]:
        point["seconds"] = None
    return document


@pytest.fixture(scope="module")
def whole() -> Iterator[Whole]:
    """The result of five steps without interruption."""
    with pytest.MonkeyPatch.context() as patch:
        judge_little(patch)
        supernet = fitted()
        report = supernet.refine(batches(), steps=5)
        yield weights(supernet), report


@pytest.mark.parametrize("error, step", [(KeyboardInterrupt, 3), (StoppedError, 0)])
def test_an_interrupted_training_goes_on_bit_for_bit(
    tmp_path: Path, whole: Whole, error: type[BaseException], step: int
) -> None:
    supernet, file = fitted(), tmp_path / "refining"
    first = weights(supernet)
    with pytest.raises(error):
        supernet.refine(batches(), steps=5, checkpoint=file, progress=stop_at(step, error))
    assert equal(first, weights(supernet))
    assert supernet.refine_report is None
    assert file.exists()
    moved = file.rename(tmp_path / "elsewhere")
    report = supernet.refine(batches(), steps=5, checkpoint=moved)
    assert equal(whole[0], weights(supernet))
    assert without_times(report) == without_times(whole[1])
    assert not list(tmp_path.iterdir())


def test_views_go_on_bit_for_bit(tmp_path: Path) -> None:
    whole, supernet, file = fitted(), fitted(), tmp_path / "refining"
    views = Views(padding=1, flip=True)
    whole.refine(batches(), steps=4, views=views)
    with pytest.raises(StoppedError):
        supernet.refine(batches(), steps=4, views=views, checkpoint=file, progress=stop_at(2))
    supernet.refine(batches(), steps=4, views=views, checkpoint=file)
    assert equal(weights(whole), weights(supernet))


def test_an_interruption_within_a_step_goes_on_bit_for_bit(
    tmp_path: Path, whole: Whole, monkeypatch: pytest.MonkeyPatch
) -> None:
    supernet, file = fitted(), tmp_path / "refining"
    for method, at in (("_gradients", 5), ("write", 9)):
        with monkeypatch.context() as patch:
            real, calls = getattr(Training, method), [0]

            def cut(
                self: Training, *rest: Any, real: Any = real, calls: Any = calls, at: int = at
            ) -> Any:
                calls[0] += 1
                if calls[0] == at:
                    raise KeyboardInterrupt
                return real(self, *rest)

            patch.setattr(Training, method, cut)
            with pytest.raises(KeyboardInterrupt):
                supernet.refine(batches(), steps=5, checkpoint=file, checkpoint_seconds=0)
    supernet.refine(batches(), steps=5, checkpoint=file)
    assert equal(whole[0], weights(supernet))


def test_an_interruption_while_stitches_are_chosen_repeats_no_step(
    tmp_path: Path, whole: Whole
) -> None:
    supernet, file = fitted(), tmp_path / "refining"
    first, steps = weights(supernet), []

    def progress(done: int, total: int | None, text: str) -> None:
        steps.append(done)
        if "choosing" in text:
            raise StoppedError

    with pytest.raises(StoppedError):
        supernet.refine(batches(), steps=5, checkpoint=file, progress=progress)
    assert equal(first, weights(supernet))
    supernet.refine(
        batches(), steps=5, checkpoint=file, progress=lambda done, *_: steps.append(done)
    )
    assert steps == [*range(6), 5, 5, 5, 5]
    assert equal(whole[0], weights(supernet))


def test_stitches_given_up_stay_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    supernet, file = fitted(), tmp_path / "refining"
    real = Training.advance

    def advance(self: Training, *rest: Any) -> float:
        if self.step == 1:
            self.give_up(3)
        return real(self, *rest)

    monkeypatch.setattr(Training, "advance", advance)
    with pytest.raises(StoppedError):
        supernet.refine(batches(), steps=4, checkpoint=file, progress=stop_at(2))
    report = supernet.refine(batches(), steps=4, checkpoint=file)
    assert report.rows[3].diverged == 1
    assert not report.rows[3].kept


def test_the_budget_may_change(tmp_path: Path) -> None:
    supernet, file = fitted(), tmp_path / "refining"
    with pytest.raises(StoppedError):
        supernet.refine(batches(), steps=4, checkpoint=file, progress=stop_at(2))
    assert supernet.refine(batches(), steps=3, seconds=1e6, checkpoint=file).steps == 3


def stopped(file: Path) -> None:
    with pytest.raises(StoppedError):
        fitted().refine(batches(), steps=2, checkpoint=file, progress=stop_at(1))


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": 0.5},
        {"batches": batches(seed=1)},
        {"seed": 2},
        {"views": Views(flip=True)},
        {"stitches": True},
    ],
)
def test_checkpoints_of_something_else_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    file = tmp_path / "refining"
    stopped(file)
    content = file.read_bytes()
    settings = dict(change)
    given = settings.pop("batches", batches())
    supernet = fitted()
    if settings.pop("stitches", False):
        with torch.no_grad():
            supernet.layers[0].weight.add_(1)
    with pytest.raises(StorageError, match="the checkpoint of another refining"):
        supernet.refine(given, steps=2, checkpoint=file, **settings)
    assert file.read_bytes() == content


def test_labels_are_a_part_of_what_must_be_equal(tmp_path: Path) -> None:
    file = tmp_path / "refining"
    with pytest.raises(StoppedError):
        fitted().refine(batches(), steps=2, loss="labels", checkpoint=file, progress=stop_at(1))
    others = [(inputs, (labels + 1) % 3) for inputs, labels in batches()]
    with pytest.raises(StorageError, match="the checkpoint of another refining"):
        fitted().refine(others, steps=2, loss="labels", checkpoint=file)


def test_damaged_checkpoints_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "refining"
    stopped(file)
    content = file.read_bytes()
    for damaged in (
        b"",
        b"no tensors",
        content[:-40],
        content[:100],
        content.replace(b'"fingerprint', b'"fongerprint'),
        content.replace(b"curve", b"curse"),
    ):
        file.write_bytes(damaged)
        with pytest.raises(
            StorageError, match=r"no readable checkpoint .* remove it to start anew"
        ) as e:
            fitted().refine(batches(), steps=2, checkpoint=file)
        assert "\n" not in str(e.value)
        assert file.read_bytes() == damaged


def test_places_that_cannot_be_written_fail_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def advance(*_: Any) -> float:
        raise AssertionError("trained")

    monkeypatch.setattr(Training, "advance", advance)
    with pytest.raises(StorageError, match="cannot be written: there is no folder"):
        fitted().refine(batches(), steps=2, checkpoint=tmp_path / "none" / "file")
    with pytest.raises(StorageError, match="is a folder: give the name of a file"):
        fitted().refine(batches(), steps=2, checkpoint=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written: there is no folder"):
        fitted().refine(batches(), steps=2, checkpoint=tmp_path / "file" / "file")


SCRIPT = """
import sys
from refinement_examples import batches, fitted

def progress(done, total, text):
    print(done, flush=True)
    if done == 5:
        sys.stdin.read()

fitted().refine(
    batches(), steps=12, checkpoint=sys.argv[1], checkpoint_seconds=0, progress=progress
)
"""


@pytest.mark.slow
def test_a_killed_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole, supernet, file = fitted(), fitted(), tmp_path / "refining"
    whole.refine(batches(), steps=12)
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    with process:
        while process.stdout.readline().strip() != "5":
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    steps: list[int] = []
    supernet.refine(
        batches(), steps=12, checkpoint=file, progress=lambda done, *_: steps.append(done)
    )
    assert steps[0] == 5
    assert equal(weights(whole), weights(supernet))

"""Exits and cascades of a run: when they are found, and what interruptions and kills leave."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from run_examples import Interrupting, Quiet, write_experiment

import netstitch as ns
from netstitch.errors import FittingError, SearchError, StorageError
from netstitch.events import Advanced, Event
from netstitch.experiments import load_models, load_task, read_experiment
from netstitch.records import read_document, read_run
from netstitch.records.run_document import state_of
from netstitch.records.unchanged import check_folder
from netstitch.runs.finished import Finished
from netstitch.runs.recorded_cascades import find_run_cascades
from netstitch.runs.recorded_run import open_run
from netstitch.runs.run import carry_out, resume
from netstitch.stitching.cascade import Confidence

Change = tuple[str, str]
OFF: Change = ("[refine]", "[cascades]\nenabled = false\n[refine]")


def begun(folder: Path, *changes: Change, listener: Quiet | None = None) -> Finished:
    folder.mkdir(exist_ok=True)
    asked = read_experiment(write_experiment(folder, *changes))
    models, task = load_models(asked), load_task(asked)
    return carry_out(asked, models, task, folder / "run", listener or Quiet())


def gone_on(folder: Path) -> Finished:
    asked = read_experiment(folder / "tiny.toml")
    return resume(asked, load_task(asked), folder / "run", Quiet())


def found_anew(folder: Path, listener: Quiet | None = None, **changes: Any) -> Finished:
    asked = read_experiment(folder / "tiny.toml")
    wanted = asked.changed(cascades=asked.cascades.changed(enabled=True, **changes))
    return find_run_cascades(wanted, load_task(asked), folder / "run", listener or Quiet())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return begun(tmp_path_factory.mktemp("whole"))


class Meanwhile(Quiet):
    """Presses Ctrl-C when a stage is under way, and what it does has some words."""

    def __init__(self, stage: str, words: str = "") -> None:
        super().__init__()
        self.stage, self.words = stage, words

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if not isinstance(event, Advanced) or self.words not in event.text:
            return
        if re.fullmatch(self.stage, self.stages[-1]):
            raise KeyboardInterrupt


def test_a_run_ends_with_cascades_beside_its_networks(whole: Finished) -> None:
    front = open_run(whole.folder).front
    assert front == whole.front
    assert front.cascades
    assert all(cascade.test is not None for cascade in front.cascades)
    supernet = ns.load(whole.folder)
    assert isinstance(supernet, ns.Supernet)
    assert supernet.exits == whole.supernet.exits != ()
    kinds = {line.split(",")[0] for line in (whole.folder / "front.csv").read_text().splitlines()}
    assert {"reference", "cascade"} <= kinds
    outcome = json.loads((whole.folder / "run.json").read_text())["outcome"]
    assert outcome["cascades"]["found"]
    assert outcome["cascades"]["settings"]["stages"] == 2


@pytest.mark.parametrize("change", [OFF, ("seed = 1", 'seed = 1\nprocedure = "paper"')])
def test_a_run_without_cascades_fits_no_exits(tmp_path: Path, change: Change) -> None:
    listener = Quiet()
    done = begun(tmp_path, change, ("[refine]\nsteps = 5\n", ""), listener=listener)
    assert not {"exits", "find cascades"} & set(listener.stages)
    assert done.supernet.exits == ()
    assert not [path for path in (done.folder / "supernet").iterdir() if "exit" in path.name]
    assert (done.front.cascades, done.front.plain_cascades) == ((), ())
    assert done.outcome.cascades is None


MEANWHILE = [("find cascades", ""), (r"measure \d+ cascades", "cascades on test samples")]


@pytest.mark.parametrize(("stage", "words"), MEANWHILE)
def test_ctrl_c_while_cascades_are_found_keeps_the_front_of_networks(
    tmp_path: Path, whole: Finished, monkeypatch: pytest.MonkeyPatch, stage: str, words: str
) -> None:
    listener = Meanwhile(stage, words)
    stopped = begun(tmp_path, listener=listener)
    assert "the front of networks is kept, without cascades; to go on:" in listener.lines
    assert stopped.outcome.stopped == "budget"
    assert stopped.front.cascades == ()
    run = tmp_path / "run"
    document = check_folder(run)
    assert not document.done
    assert state_of(run, document, running=False) == "stopped while it found cascades"
    assert open_run(run).front == stopped.front == read_run(run).front

    def searched_again(*_: Any, **__: Any) -> None:
        raise AssertionError("the search had ended")

    monkeypatch.setattr("netstitch.runs.searching_step.run_search", searched_again)
    assert gone_on(tmp_path).front == whole.front
    assert check_folder(run).done


def test_whoever_interrupts_the_search_waits_for_no_cascades(tmp_path: Path) -> None:
    listener = Interrupting(20)
    stopped = begun(tmp_path, listener=listener)
    assert stopped.outcome.stopped == "interrupted"
    assert "find cascades" not in listener.stages
    assert found_anew(tmp_path).front.cascades
    assert not read_document(tmp_path / "run").done  # its search can go on


def killed(*_: object, **__: object) -> None:
    raise SystemExit(137)


@pytest.mark.parametrize(
    "place",
    [
        "exits_step.forget_files",
        "exits_step.note_files",
        "cascades_step.find_cascades_of",
        "cascades_step.write_front",
        "cascades_step.note_files",
    ],
)
def test_a_kill_loses_nothing(
    tmp_path: Path, whole: Finished, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(f"netstitch.runs.{place}", killed)
        with pytest.raises(SystemExit):
            begun(tmp_path)
    check_folder(tmp_path / "run")
    ns.load(tmp_path / "run")
    done = gone_on(tmp_path)
    assert (done.front, done.supernet.exits) == (whole.front, whole.supernet.exits)
    assert check_folder(tmp_path / "run").done


@pytest.mark.parametrize("file", ["csv", "png", "json"])
def test_a_kill_between_the_files_of_a_front(
    tmp_path: Path, whole: Finished, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """The second time that they are written, with cascades."""
    begun(tmp_path, listener=Meanwhile("find cascades"))
    place = {"png": "finished.front_figure"}.get(file, f"finished.Front.to_{file}")
    with monkeypatch.context() as patched:
        patched.setattr(f"netstitch.runs.{place}", killed)
        with pytest.raises(SystemExit):
            gone_on(tmp_path)
    check_folder(tmp_path / "run")
    assert gone_on(tmp_path).front == whole.front
    for name in ("front.csv", "front.json"):
        assert (tmp_path / "run" / name).read_bytes() == (whole.folder / name).read_bytes()


def test_ctrl_c_while_exits_are_fitted_says_how_to_go_on(tmp_path: Path, whole: Finished) -> None:
    listener = Meanwhile("exits")
    with pytest.raises(KeyboardInterrupt):
        begun(tmp_path, listener=listener)
    assert listener.lines[-1].endswith(f"netstitch resume {tmp_path / 'run'}")
    assert gone_on(tmp_path).front == whole.front


def test_where_no_exits_can_be_fitted_the_run_goes_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise FittingError("too few samples; give more")

    monkeypatch.setattr("netstitch.supernet.with_exits.fit_exits", none)
    listener = Quiet()
    done = begun(tmp_path, listener=listener)
    assert "warning: no exits were fitted: too few samples; give more" in listener.warnings
    assert done.supernet.exits == ()
    assert done.outcome.done
    assert done.outcome.cascades is not None
    assert done.outcome.cascades.found


def test_where_none_can_be_found_the_run_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise SearchError("outputs are not finite")

    monkeypatch.setattr("netstitch.runs.cascades_step.find_cascades_of", none)
    listener = Quiet()
    done = begun(tmp_path, listener=listener)
    assert "warning: no cascades were found: outputs are not finite" in listener.warnings
    assert done.outcome.cascades is None
    assert check_folder(tmp_path / "run").done


def test_a_run_that_was_made_without_gets_those_of_one_with_them(
    tmp_path: Path, whole: Finished
) -> None:
    made = begun(tmp_path, OFF)
    done = found_anew(tmp_path)
    assert done.front == whole.front
    assert open_run(tmp_path / "run").front == whole.front
    assert check_folder(tmp_path / "run").done
    assert made.front.references == done.front.references


def test_found_anew_they_take_the_place_of_those_before(tmp_path: Path, whole: Finished) -> None:
    shutil.copytree(whole.folder.parent, tmp_path, dirs_exist_ok=True)
    wider = found_anew(tmp_path, stages=3)
    document = read_document(tmp_path / "run")
    assert document.outcome is not None
    assert document.outcome.cascades is not None
    assert document.outcome.cascades.settings["stages"] == 3
    assert wider.front.points == whole.front.points
    assert found_anew(tmp_path, stages=2).front == whole.front


@pytest.mark.parametrize(("stage", "words"), MEANWHILE)
def test_ctrl_c_while_they_are_found_anew_leaves_the_run(
    tmp_path: Path, whole: Finished, stage: str, words: str
) -> None:
    shutil.copytree(whole.folder.parent, tmp_path, dirs_exist_ok=True)
    with pytest.raises(KeyboardInterrupt):
        found_anew(tmp_path, Meanwhile(stage, words), stages=3)
    assert check_folder(tmp_path / "run").done
    assert open_run(tmp_path / "run").front == whole.front


def test_a_table_says_which_exits_there_are(tmp_path: Path) -> None:
    done = begun(tmp_path, ("[refine]", "[exits]\nexits = 1\npoints = 1\n\n[refine]"))
    report = done.supernet.exit_report
    assert report is not None
    assert len(report.rows) == 2  # one of each network
    assert all(len(one.points) == 1 for one in done.supernet.exits)


def test_a_device_that_is_not_there_is_told_before_anything(
    tmp_path: Path, whole: Finished
) -> None:
    shutil.copytree(whole.folder.parent, tmp_path, dirs_exist_ok=True)
    asked = read_experiment(tmp_path / "tiny.toml")
    elsewhere = asked.changed(evaluation=asked.evaluation.changed(device="cuda:97"))
    with pytest.raises(SearchError, match="cuda:97"):
        find_run_cascades(elsewhere, load_task(asked), tmp_path / "run", Quiet())


@pytest.mark.parametrize("known", [(), ("margin",)])
def test_a_task_has_the_confidences_that_it_declares(
    tmp_path: Path, known: tuple[Confidence, ...]
) -> None:
    class Unsure(ns.Classification):
        confidences = known

    asked = read_experiment(write_experiment(tmp_path))
    read = load_task(asked)
    task = Unsure(validation=read.validation, training=read.training, classes=3)
    listener = Quiet()
    if known:
        with pytest.raises(SearchError, match="no confidence 'probability': expected one of mar"):
            carry_out(asked, load_models(asked), task, tmp_path / "run", listener)
        assert not (tmp_path / "run").exists()
        return
    done = carry_out(asked, load_models(asked), task, tmp_path / "run", listener)
    assert done.supernet.exits == done.front.plain_cascades == ()
    line = "the task does not tell how sure outputs are: the run has neither exits nor cascades"
    assert listener.lines.count(line) == 1
    with pytest.raises(SearchError, match="Unsure has no confidence, which decides"):
        find_run_cascades(asked, task, tmp_path / "run", listener)
    assert check_folder(tmp_path / "run").done


def test_another_table_of_cascades_is_another_run(tmp_path: Path) -> None:
    begun(tmp_path, listener=Meanwhile("find cascades"))
    file = tmp_path / "tiny.toml"
    file.write_text(file.read_text() + "[cascades]\nmemory = 1_000_000\n")
    asked = read_experiment(file)
    wider = asked.changed(cascades=asked.cascades.changed(stages=3))
    with pytest.raises(StorageError, match=r"cascades\.stages is 3 and was 2"):
        resume(wider, load_task(wider), tmp_path / "run", Quiet())
    assert gone_on(tmp_path).front.cascades  # memory changes no number

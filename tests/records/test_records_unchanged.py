"""Changes since a run wrote its files are named by every command that relies on them."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edited_documents import called
from run_examples import Interrupting, Quiet, write_experiment

from netstitch.errors import StorageError
from netstitch.experiments import load_models, load_task, read_experiment
from netstitch.records import read_document
from netstitch.records.run_document import update_document
from netstitch.records.run_folder import FRONT_FILE
from netstitch.records.unchanged import check_folder, forget_files, note_files
from netstitch.runs.run import carry_out
from netstitch.supernet.storage import load_structure


@pytest.fixture
def folder(experiment: Path, tmp_path: Path) -> Path:
    """A copy, which its run says that it is of."""
    made = shutil.copytree(experiment, tmp_path / "experiment")
    asked = read_document(made / "run").config | {"folder": str(made)}
    update_document(made / "run", {"config": asked})
    return made


def command(name: str, folder: Path, *options: str) -> str:
    """Return the message of a command that is refused; it writes nothing."""
    out = folder.parent / "out"
    arguments: dict[str, list[object]] = {
        "status": [],
        "report": ["-o", out],
        "compare": [folder.parent / "other", "-o", out],
        "export": ["--point", "wide", "--formats", "json", "-o", out],
        "finetune": ["--point", "wide", "--formats", "json", "-o", out],
    }
    code, error = called(name, folder / "run", *arguments[name], *options)
    assert code == 2
    assert not out.exists()
    return error


def other_weights(folder: Path) -> None:
    path = folder / "run" / "supernet" / "networks" / "1" / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def other_stitches(folder: Path) -> None:
    path = folder / "run" / "supernet" / "stitches.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def other_matching(folder: Path) -> None:
    path = folder / "run" / "supernet" / "supernet.json"
    document = json.loads(path.read_text())
    document["ensemble"]["weights"] = [1.0, 3.0]
    path.write_text(json.dumps(document))


def other_front(folder: Path) -> None:
    path = folder / "run" / "front.json"
    document = json.loads(path.read_text())
    document["points"][0]["validation"] = 0.99
    path.write_text(json.dumps(document))


def other_labels(folder: Path, name: str = "val.npz") -> None:
    with np.load(folder / name) as read:
        inputs, labels = read["inputs"], read["labels"].copy()
    labels[0] = (labels[0] + 1) % 3
    np.savez(folder / name, inputs=inputs, labels=labels)


def other_training(folder: Path) -> None:
    other_labels(folder, "train.npz")


@pytest.mark.parametrize("name", ["status", "report", "compare", "export", "finetune"])
@pytest.mark.parametrize(
    "change, message",
    [
        (other_weights, "network 'deep' changed since the run began; put back "),
        (other_stitches, "the stitches changed since its search began; put back "),
        (other_matching, "supernet/supernet.json changed since the run wrote it; put back "),
        (other_front, "front.json changed since the run wrote it; put back "),
    ],
)
def test_what_changed_in_the_folder(
    folder: Path, name: str, change: Callable[[Path], None], message: str
) -> None:
    shutil.copytree(folder / "run", folder.parent / "other")
    change(folder)
    assert message in command(name, folder)


@pytest.mark.parametrize("name, options", [("export", ["--recalibrate"]), ("finetune", [])])
@pytest.mark.parametrize(
    "change, message",
    [
        (other_labels, "the validation samples changed since the run began"),
        (other_training, "the training samples changed since the run began"),
    ],
)
def test_samples_and_labels_that_changed(
    folder: Path, name: str, options: list[str], change: Callable[[Path], None], message: str
) -> None:
    change(folder)
    assert message in command(name, folder, *options)


def test_samples_do_not_matter_to_who_reads_none(folder: Path) -> None:
    other_labels(folder)
    out = folder.parent / "out"
    assert called("status", folder / "run")[0] == 0
    assert called("report", folder / "run", "-o", folder / "report.html")[0] == 0
    arguments = ("--point", "P1", "--formats", "json", "-o", out)
    assert called("export", folder / "run", *arguments)[0] == 0


def test_a_run_of_before_digests_were_kept_of_documents(folder: Path) -> None:
    path = folder / "run" / "run.json"
    document = json.loads(path.read_text())
    del document["files"]
    path.write_text(json.dumps(document))
    other_front(folder)
    assert called("status", folder / "run")[0] == 0


@pytest.mark.parametrize(
    "gone, message",
    [
        ("front.json", "front.json is not there any more; put back "),
        ("search.csv", "search.csv is not there any more; put back "),
        ("stitches.csv", "stitches.csv is not there any more; put back "),
        ("supernet/refine.json", "supernet/refine.json is not there any more; put back "),
        ("evaluations.sqlite", "evaluations.sqlite is missing"),
    ],
)
def test_a_report_leaves_nothing_out_that_is_gone(folder: Path, gone: str, message: str) -> None:
    (folder / "run" / gone).unlink()
    assert message in command("report", folder)


def test_what_lies_beside_a_network_and_is_not_read_is_no_change(folder: Path) -> None:
    """Systems put such files into folders that are looked at, or copied from others."""
    network = folder / "run" / "supernet" / "networks" / "0"
    (network / "._graph.json").write_bytes(b"\0")
    (network / ".seen").mkdir()
    (network / ".seen" / "window").write_text("")
    (network / os.fsdecode(b"\xff.txt")).write_text("")
    assert called("status", folder / "run") == (0, "")
    (network / "weights.safetensors").rename(network / "weights.bin")
    assert "weights.safetensors cannot be read: no such file" in command("status", folder)


@pytest.mark.parametrize(
    "name, file, message",
    [
        ("status", "supernet/stitches.safetensors", "cannot be read: it is no file"),
        ("export", "front.json", "holds no front (it is no file)"),
        ("report", "search.csv", "search.csv is not there any more"),
    ],
)
def test_a_pipe_in_the_place_of_a_file_holds_nothing_up(
    folder: Path, name: str, file: str, message: str
) -> None:
    (folder / "run" / file).unlink()
    os.mkfifo(folder / "run" / file)
    assert message in command(name, folder)


def test_a_run_is_done_together_with_the_digest_of_its_front(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it is killed, a front beside which it is done is held against what it wrote."""
    seen = []
    keep = update_document

    def watched(place: Path, changes: Mapping[str, Any]) -> None:
        keep(place, changes)
        document = read_document(place)
        seen.append((document.done, FRONT_FILE in document.files))

    monkeypatch.setattr("netstitch.records.unchanged.update_document", watched)
    asked = read_experiment(write_experiment(tmp_path))
    carry_out(asked, load_models(asked), load_task(asked), tmp_path / "run", Quiet())
    assert seen[-1] == (True, True)
    assert (True, False) not in seen


def test_a_run_that_is_written_meanwhile_is_no_changed_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that read run.json before its writer replaced the front."""
    run, before = folder / "run", read_document(folder / "run")
    forget_files(run)
    other_front(folder)
    note_files(run, (FRONT_FILE,))
    reads = iter([before])
    monkeypatch.setattr(
        "netstitch.records.unchanged.read_document",
        lambda place: next(reads, None) or read_document(place),
    )
    assert check_folder(run) == read_document(run)


def test_a_kill_between_the_front_and_its_digest_is_no_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The front of an interrupted run is replaced when the run goes on."""
    asked = read_experiment(write_experiment(tmp_path))
    models, task = load_models(asked), load_task(asked)
    carry_out(asked, models, task, tmp_path / "run", Interrupting(20))
    assert "front.json" in read_document(tmp_path / "run").files

    def killed(*_: object, **__: object) -> None:
        raise SystemExit(137)

    monkeypatch.setattr("netstitch.runs.finished.front_figure", killed)
    assert called("resume", tmp_path / "run")[0] == 137
    check_folder(tmp_path / "run")


def test_a_digest_names_no_file_elsewhere(folder: Path) -> None:
    """A received run.json may name anything."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    update_document(folder / "run", {"files": {"../pipe": "0" * 32}})
    assert called("status", folder / "run")[0] == 0


def test_names_that_are_not_utf_8(folder: Path) -> None:
    """They are kept to the byte, and told with question marks."""
    run, out = folder / "run", folder / "out"
    asked = read_document(run).config | {"folder": "/tmp/\udcff", "name": "caf\udce9"}
    update_document(run, {"config": asked, "name": "caf\udce9"})
    assert read_document(run).config == asked
    other = shutil.copytree(run, folder / "other")
    update_document(other, {"config": asked | {"further": "\udcff"}})
    assert called("status", run) == (0, "")
    assert called("report", run, "-o", folder / "report.html")[0] == 0
    assert called("compare", run, other, "-o", out)[0] == 0


def test_a_front_of_another_supernet(folder: Path) -> None:
    path = folder / "run" / "front.json"
    document = json.loads(path.read_text())
    for point in document["points"]:
        point["genotype"] = [99] * len(point["genotype"])
    path.write_text(json.dumps(document))
    note_files(folder / "run")
    for name in ("export", "finetune", "report"):
        assert "front.json is of another supernet: " in command(name, folder)


def test_a_cost_that_is_not_the_genotypes(folder: Path) -> None:
    path = folder / "run" / "front.json"
    document = json.loads(path.read_text())
    document["points"][-1]["multiply_adds"] += 1
    path.write_text(json.dumps(document))
    note_files(folder / "run")
    for name in ("export", "report"):
        assert "multiply-adds, and what it selects" in command(name, folder)


def test_a_cost_of_another_name(folder: Path) -> None:
    path = folder / "run" / "front.json"
    document = json.loads(path.read_text())
    for name, expected in (
        ("parameters", "parameters, and what it selects"),
        ("money", "front.json holds a cost 'money' that is not known"),
    ):
        path.write_text(json.dumps(document | {"cost_name": name}))
        note_files(folder / "run")
        assert expected in command("export", folder)


def test_a_graph_that_asks_for_a_petabyte(folder: Path) -> None:
    path = folder / "run" / "supernet" / "networks" / "0" / "graph.json"
    document = json.loads(path.read_text())
    last = document["nodes"][-1]
    last |= {"operation": "aten.view.default", "args": [last["args"][0], [10**15]]}
    path.write_text(json.dumps(document))
    assert "network 'wide' changed" in command("export", folder)
    with pytest.raises(StorageError, match="does not take its arguments"):
        load_structure(folder / "run" / "supernet")

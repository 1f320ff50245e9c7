"""Python of one's own runs without a word, that of a folder from elsewhere only when told."""

import json
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode, compile
from typing import Any

import pytest
import torch
from cli_examples import Called, Caller
from run_examples import Interrupting, Quiet, write_experiment

import netstitch as ns
from netstitch.errors import StorageError
from netstitch.experiments import load_models, load_task, read_experiment
from netstitch.records import read_document
from netstitch.records.run_document import update_document
from netstitch.records.trust import SIGNATURE, signed
from netstitch.records.unchanged import network_digests, note_files
from netstitch.runs.recorded_run import recorded_task
from netstitch.runs.run import carry_out

DATA = """
import trust_helper

try:
    import trust_extra
except ImportError:
    trust_extra = None

parts = ("train", "val", "test")
train, val, test = (lambda part=part: trust_helper.arrays(part) for part in parts)
other = train
"""
HELPER = """
from pathlib import Path

import numpy as np


def arrays(part):
    found = np.load(Path(__file__).parent / f"{part}.npz")
    return found["inputs"], found["labels"]
"""
MODULES = ("trust_helper", "trust_extra")


@pytest.fixture(autouse=True)
def as_in_a_new_process() -> Iterator[None]:
    """Modules that one command imported are not there for the next."""
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


def python_experiment(folder: Path) -> Path:
    """The tiny experiment with samples from Python, which batch norms would be measured on."""
    sources = [(f'"{part}.npz"', f'"data.py:{part}"') for part in ("train", "val", "test")]
    changes = [*sources, ("[evaluation]", "[evaluation]\nrecalibrate = 16")]
    (folder / "data.py").write_text(DATA)
    (folder / "trust_helper.py").write_text(HELPER)
    return write_experiment(folder, *changes)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an experiment, a run of it, and one that was interrupted; kept as it is."""
    folder = tmp_path_factory.mktemp("own")
    asked = read_experiment(python_experiment(folder))
    models, task = load_models(asked), load_task(asked)
    carry_out(asked, models, task, folder / "run", Quiet())
    carry_out(asked, models, task, folder / "stopped", Interrupting(9))
    return folder


@pytest.fixture
def own(made: Path) -> Iterator[Path]:
    """The same, of which tests may change the Python files."""
    kept = {path: path.read_bytes() for path in made.glob("*.py")}
    yield made
    for path in set(made.glob("*")) - set(kept) - {made / "run", made / "stopped"}:
        if path.suffix not in (".npz", ".safetensors", ".toml"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user, who has another key."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def export(netstitch: Caller, tmp_path: Path) -> Any:
    """`netstitch export` of a run into a new folder, which reads the run's samples."""

    def called(run: Path, *options: str) -> Called:
        arguments = ("--point", "wide", "--formats", "json", "-o", tmp_path / "out")
        found = netstitch("export", run, *arguments, *options)
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        return found

    return called


def edited(run: Path, copy: Path, **changes: Any) -> Path:
    """A copy of a run of which run.json was asked something else."""
    shutil.copytree(run, copy)
    document = json.loads((copy / "run.json").read_text())
    document["config"] |= changes
    (copy / "run.json").write_text(json.dumps(document))
    return copy


def test_ones_own_runs_go_on_without_a_word(
    own: Path, tmp_path: Path, export: Any, netstitch: Caller
) -> None:
    signature = read_document(own / "run").signature
    assert signature is not None
    assert set(signature["files"]) == {
        str(own / name) for name in ("data.py", "models.py", "trust_helper.py")
    }
    shutil.copytree(own / "run", tmp_path / "moved")
    (own / "notes.py").write_text("raise SystemExit")  # beside them, and never run
    options = ("--point", "wide", "--train", "all", "-o", tmp_path / "f")
    for called in (
        export(own / "run"),
        export(tmp_path / "moved"),
        netstitch("finetune", own / "run", *options),
        netstitch("resume", shutil.copytree(own / "stopped", tmp_path / "stopped")),
    ):
        assert (called.code, called.err) == (0, "")


def test_a_stranger_is_told_what_would_be_run_and_how(
    own: Path, stranger: None, export: Any, tmp_path: Path
) -> None:
    called = export(own / "run")
    assert called.code == 2
    assert f"{own / 'run'} was not made by you here" in called.error
    assert f"this would run its Python, {own / 'data.py'}; " in called.error
    way_on = called.error.partition("if you trust it: ")[2]
    again = shlex.split(way_on)
    assert again[:3] == ["netstitch", "export", str(own / "run")]
    assert again[-1] == "--trust"
    before = (own / "run" / "run.json").read_bytes()
    assert export(own / "run", "--trust").code == 0
    assert (own / "run" / "run.json").read_bytes() == before
    assert export(own / "run").code == 2  # it was trusted once


@pytest.mark.parametrize("command", ["resume", "finetune"])
def test_what_reads_samples_asks(
    own: Path, stranger: None, tmp_path: Path, netstitch: Caller, command: str
) -> None:
    run = shutil.copytree(own / ("stopped" if command == "resume" else "run"), tmp_path / "run")
    options = ("--point", "wide", "-o", tmp_path / "out") if command == "finetune" else ()
    called = netstitch(command, run, *options)
    assert called.code == 2
    assert called.error.endswith("--trust")
    assert not (tmp_path / "out").exists()


def test_a_run_that_goes_on_trusted_is_ones_own_from_then_on(
    own: Path, stranger: None, tmp_path: Path, netstitch: Caller, export: Any
) -> None:
    run = shutil.copytree(own / "stopped", tmp_path / "run")
    assert netstitch("resume", run, "--trust").code == 0
    assert (tmp_path / "state" / "netstitch" / "key").stat().st_mode & 0o777 == 0o600
    assert export(run).code == 0


def test_a_run_that_does_not_go_on_is_not_signed(
    own: Path, stranger: None, tmp_path: Path, netstitch: Caller
) -> None:
    run = shutil.copytree(own / "stopped", tmp_path / "run")
    before = (run / "run.json").read_bytes()
    (own / "data.py").write_text(DATA.replace('("train", ', '("val", '))
    called = netstitch("resume", run, "--trust")
    assert called.code == 2
    assert "training samples changed" in called.error
    assert (run / "run.json").read_bytes() == before


@pytest.mark.parametrize("name", ["data.py", "trust_helper.py"])
def test_files_that_changed_since_are_named(own: Path, export: Any, name: str) -> None:
    with (own / name).open("a") as file:
        file.write("# another line\n")
    called = export(own / "run")
    assert called.code == 2
    assert f"would run Python that changed since the run was made: {own / name}; " in called.error
    assert export(own / "run", "--trust").code == 0


def test_a_file_that_is_gone_is_named(own: Path, export: Any) -> None:
    (own / "trust_helper.py").unlink()
    assert f"changed since the run was made: {own / 'trust_helper.py'}" in export(own / "run").error


@pytest.mark.parametrize(
    "planted", ["trust_extra.py", "trust_extra/__init__.py", "trust_helper/__init__.py"]
)
def test_modules_that_were_not_there_are_not_imported(
    own: Path, tmp_path: Path, export: Any, planted: str
) -> None:
    (own / planted).parent.mkdir(exist_ok=True)
    (own / planted).write_text(f"open({str(tmp_path / 'PWNED')!r}, 'w')")
    called = export(own / "run")
    assert called.code == 2
    assert f"would run {own / planted}, which it did not run when it was made" in called.error
    assert not (tmp_path / "PWNED").exists()


def test_bytecode_beside_a_source_is_not_run(own: Path, tmp_path: Path, export: Any) -> None:
    evil = tmp_path / "evil.py"
    evil.write_text(f"open({str(tmp_path / 'PWNED')!r}, 'w')")
    tag = sys.implementation.cache_tag
    for place in (f"__pycache__/trust_helper.{tag}.pyc", "trust_extra.pyc"):
        compile(str(evil), str(own / place), invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    assert export(own / "run").code == 0
    assert not (tmp_path / "PWNED").exists()


def test_a_signature_is_of_the_functions_that_are_asked_for(
    own: Path, tmp_path: Path, export: Any
) -> None:
    task = read_document(own / "run").config["task"]
    task["training"]["source"] = "data.py:other"
    called = export(edited(own / "run", tmp_path / "run", task=task))
    assert "was not made by you here, or was changed" in called.error


@pytest.mark.parametrize(
    "signature",
    [
        None, {}, {"functions": [], "files": {}, "code": ""},
        {"functions": 1, "files": {"\udcff": "\udcff"}, "code": "\udcff"},
    ],
)  # fmt: skip
def test_no_signature_of_ones_own(own: Path, tmp_path: Path, export: Any, signature: Any) -> None:
    run = shutil.copytree(own / "run", tmp_path / "run")
    document = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(document | {SIGNATURE: signature}))
    assert "was not made by you here" in export(run).error


def test_digests_in_a_signature_are_signed_too(own: Path, tmp_path: Path, export: Any) -> None:
    run = shutil.copytree(own / "run", tmp_path / "run")
    document = json.loads((run / "run.json").read_text())
    document[SIGNATURE]["files"][str(own / "data.py")] = "0" * 64
    (run / "run.json").write_text(json.dumps(document))
    assert "was not made by you here" in export(run).error


def test_a_damaged_key_makes_ones_own_a_strangers(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, export: Any
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    (tmp_path / "netstitch").mkdir()
    (tmp_path / "netstitch" / "key").write_bytes(b"short")
    assert "was not made by you here" in export(own / "run").error


def test_without_a_state_folder_runs_go_unsigned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    asked = read_experiment(python_experiment(tmp_path))
    models, task, listener = load_models(asked), load_task(asked), Quiet()
    carry_out(asked, models, task, tmp_path / "run", listener)
    assert sum("the run is not signed" in line for line in listener.warnings) == 1
    assert read_document(tmp_path / "run").signature is None
    with pytest.raises(StorageError, match="was not made by you here"):
        recorded_task(tmp_path / "run", read_document(tmp_path / "run"))


def plant(folder: Path, pwned: Path) -> None:
    """Everything in a folder that something might run."""
    code = f"open({str(pwned)!r}, 'a').write(__file__)\n"
    for name in ("evil", "conftest", "sitecustomize", "usercustomize", "numpy", "torch", "json"):
        (folder / f"{name}.py").write_text(code + "go = lambda: None\n")
    for name in ("timm", "torchvision", "pydantic", "rich"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "__init__.py").write_text(code)
    (folder / "evil.pth").write_text("import evil\n")  # as site-packages have them
    torch.save({"weight": _Evil(str(pwned))}, folder / "weights.pth")
    torch.save({"weight": _Evil(str(pwned))}, folder / "weights.safetensors.pt")
    (folder / "evil.toml").write_text('[[networks]]\nmodel = "evil.py:go"\n')
    (folder / "pyproject.toml").write_text("[tool.pytest.ini_options]\npython_files = 'evil.py'\n")


class _Evil:
    """Writes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (self.path, "a")


def test_nothing_in_any_folder_that_is_opened_is_run(
    own: Path, stranger: None, tmp_path: Path, netstitch: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwned, run = tmp_path / "PWNED", tmp_path / "theirs"
    task = read_document(own / "run").config["task"]
    for table in ("training", "validation", "test"):
        task[table] = {"source": "evil.py:go"}
    networks = [{"name": name, "model": "evil:go", "weights": "weights.pth"} for name in ("a", "b")]
    edited(own / "run", run, folder=str(run), task=task, networks=networks)
    stopped = edited(own / "stopped", tmp_path / "stopped", folder=str(run), task=task)
    agreed = task | {"kind": "agreement"}
    agreed.pop("classes")
    for table, part in (("training", "train"), ("validation", "val"), ("test", "test")):
        agreed[table] = {"source": str(own / f"{part}.npz")}
    changes = {"folder": str(run), "task": agreed, "networks": networks}
    agreement = edited(own / "run", tmp_path / "agreement", **changes)
    exported = run / "export-P1"
    assert netstitch("export", own / "run", "--point", "wide", "-o", exported, "--trust").code == 0
    for name in MODULES:
        sys.modules.pop(name, None)
    for folder in [path for path in run.rglob("*") if path.is_dir()] + [run, stopped, agreement]:
        plant(folder, pwned)
    cache = tmp_path / "cache"
    cache.mkdir()
    plant(cache, pwned)
    monkeypatch.setenv("NETSTITCH_CACHE", str(cache))
    pwned.unlink(missing_ok=True)  # of pickling itself
    for planted in (run, stopped, agreement):  # whose sender says that all is as it was
        names = read_document(planted).networks
        update_document(planted, {"networks": network_digests(planted, names)})
    shutil.copytree(run, tmp_path / "same")
    monkeypatch.chdir(run)
    codes = {
        "status": netstitch("status", run).code,
        "report": netstitch("report", run, "-o", tmp_path / "r.html").code,
        "compare": netstitch("compare", run, tmp_path / "same", "-o", tmp_path / "c").code,
        "export": netstitch("export", run, "--point", "wide", "-o", tmp_path / "e").code,
        "recalibrated": netstitch(
            "export", agreement, "--point", "wide", "--recalibrate", "-o", tmp_path / "g"
        ).code,
        "finetune": netstitch("finetune", run, "--point", "wide", "-o", tmp_path / "f").code,
        "resume": netstitch("resume", stopped).code,
        "done": netstitch("resume", run).code,
    }
    assert codes == {
        "status": 0, "report": 0, "compare": 0, "export": 2, "recalibrated": 2, "finetune": 2,
        "resume": 2, "done": 2,
    }  # fmt: skip
    for folder in (run, run / "supernet", run / "supernet" / "networks" / "0", exported):
        assert ns.load(folder) is not None
    assert not pwned.exists()


def test_data_files_and_libraries_never_ask(
    tmp_path: Path, stranger: None, monkeypatch: pytest.MonkeyPatch, netstitch: Caller
) -> None:
    asked = read_experiment(write_experiment(tmp_path))
    carry_out(asked, load_models(asked), load_task(asked), tmp_path / "run", Quiet())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    (tmp_path / "models.py").write_text("raise SystemExit")
    options = ("--point", "wide", "--recalibrate", "--formats", "json", "-o", tmp_path / "out")
    called = netstitch("export", tmp_path / "run", *options)
    assert (called.code, called.err) == (0, "")


def test_a_cluster_that_a_stranger_names_is_not_connected_to(
    tmp_path: Path, netstitch: Caller
) -> None:
    """Whoever runs a Ray cluster can run code in what connects to it."""
    asked = read_experiment(write_experiment(tmp_path))
    models, task = load_models(asked), load_task(asked)
    carry_out(asked, models, task, tmp_path / "run", Interrupting(9))
    evaluation = read_document(tmp_path / "run").config["evaluation"]
    changes = evaluation | {"executor": "ray", "address": "127.0.0.1:1"}
    run = edited(tmp_path / "run", tmp_path / "theirs", evaluation=changes)
    before = (run / "run.json").read_bytes()
    for options in ((), ("--executor", "ray")):
        called = netstitch("resume", run, *options)
        assert called.code == 2
        assert "this would connect to the Ray cluster at 127.0.0.1:1" in called.error
        assert called.error.endswith("--address 127.0.0.1:1")
    assert (run / "run.json").read_bytes() == before
    update_document(
        run, {SIGNATURE: signed(read_document(run).config)}
    )  # as where this user asked for it
    assert "not made by you" not in netstitch("resume", run).error
    assert netstitch("resume", run, "--executor", "serial").code == 0


def test_texts_of_a_run_are_no_code_in_its_report(
    own: Path, tmp_path: Path, netstitch: Caller
) -> None:
    run = shutil.copytree(own / "run", tmp_path / "run")
    evil = "</script><script>alert(1)</script>"
    document = json.loads((run / "run.json").read_text())
    document |= {"name": evil, "written": evil, "versions": {"torch": evil}, "warnings": [evil]}
    (run / "run.json").write_text(json.dumps(document))
    front = json.loads((run / "front.json").read_text())
    for point in front["points"]:
        point["label"] += f" {evil}"
    (run / "front.json").write_text(json.dumps(front))
    note_files(run)
    assert netstitch("report", run).code == 0
    assert netstitch("compare", run, own / "run", "-o", tmp_path / "compared").code == 0
    pages = [run / "report.html", tmp_path / "compared" / "compare.html"]
    assert "alert(1)" in pages[0].read_text()
    assert not any("<script>alert" in page.read_text() for page in pages)

"""The command line as a whole: its help, its version, and how fast it starts."""

import errno
import os
import subprocess
import sys

import pytest
from cli_examples import Caller

from netstitch.cli import app as module
from netstitch.version import VERSION


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_help_tells_a_newcomer_what_it_is_and_where_to_start(netstitch: Caller) -> None:
    called = netstitch("--help")
    assert called.code == 0
    assert "Join trained networks" in called.out
    assert "Start with: netstitch demo" in " ".join(called.out.split())
    for command in ("demo", "run", "match", "export"):
        assert command in called.out


@pytest.mark.parametrize("command", ["demo", "run", "match", "export"])
def test_each_command_explains_its_options(netstitch: Caller, command: str) -> None:
    called = netstitch(command, "--help")
    assert called.code == 0
    assert f"Usage: netstitch {command}" in called.out
    options = [line for line in called.out.splitlines() if " --" in line]
    assert all(len(line.split()) > 3 for line in options)  # none without an explanation


def test_no_command_is_help(netstitch: Caller) -> None:
    assert "Usage: netstitch COMMAND" in netstitch().out


def test_version(netstitch: Caller) -> None:
    assert netstitch("--version").out.strip() == VERSION


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["frob"], 'Unknown command "frob"'),
        (["--frob"], "--frob"),
        (["run"], "requires an argument"),
        (["run", "a.toml", "--sed", "1"], "Did you mean --seed?"),
        (["run", "a.toml", "--seed", "one"], "--seed"),
        (["demo", "--seconds", "long"], "--seconds"),
    ],
)
def test_a_command_line_that_is_wrong(
    netstitch: Caller, arguments: list[str], message: str
) -> None:
    called = netstitch(*arguments)
    assert called.code == 2
    assert message in called.error
    assert called.error.endswith("see netstitch --help")


def test_errors_of_the_machine_are_one_line(
    netstitch: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/there")

    monkeypatch.setattr(module, "app", full)
    called = netstitch("demo")
    assert called.code == 2
    assert called.error == "/there: no space left on device; free space or give another place"


def test_other_errors_are_not_hidden(netstitch: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(module, "app", broken)
    with pytest.raises(OSError, match="broken"):
        netstitch("demo")


@pytest.mark.parametrize("imported", ["netstitch", "netstitch.cli", "netstitch.cli.app"])
def test_importing_does_not_import_torch(imported: str) -> None:
    code = f"import sys, {imported}; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert python("-c", code).returncode == 0


def test_public_names_are_what_they_were_once_all_rooms_are_imported() -> None:
    code = (
        "import importlib, pkgutil, types, netstitch as ns\n"
        "first = {name: getattr(ns, name) for name in ns.__all__}\n"
        "for room in pkgutil.iter_modules(ns.__path__):\n"
        "    if room.name != '__main__':\n"
        "        importlib.import_module(f'netstitch.{room.name}')\n"
        "again = {name: getattr(ns, name) for name in ns.__all__}\n"
        "modules = [n for n, v in again.items() if isinstance(v, types.ModuleType)]\n"
        "print([n for n in ns.__all__ if first[n] is not again[n] or first[n] is None], modules)"
    )
    done = python("-c", code)
    assert done.stdout.strip() == "[] ['matching']", done.stderr


def test_help_does_not_import_torch() -> None:
    code = (
        "import sys; sys.argv = ['netstitch', '--help']\n"
        "from netstitch.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = python("-c", code)
    assert done.returncode == 0
    assert "Usage: netstitch" in done.stdout


def test_a_terminal_of_ascii_shows_help_all_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "netstitch", "--help"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert b"Start with" in done.stdout


def test_as_a_module_with_an_exit_code_for_scripts(tmp_path: object) -> None:
    done = python("-m", "netstitch", "run", f"{tmp_path}/none.toml")
    assert done.returncode == 2
    assert done.stdout == ""
    said = f"netstitch: {tmp_path}/none.toml: the experiment file is not there"
    assert done.stderr.startswith(said)
    assert len(done.stderr.splitlines()) == 1

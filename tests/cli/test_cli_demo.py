"""`netstitch demo`: what it refuses, and what it shows in the end."""

from pathlib import Path

import pytest
from cli_examples import Caller

import netstitch as ns
from netstitch.experiments import find_experiment, read_experiment


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--seconds", "0"], "'seconds' in [search] is 0.0; expected more than 0"),
        (["--seed", "-1"], "seed is -1; expected 0 or more"),
        (["-o", "mine"], "mine exists and is not empty"),
        (["-o", "mine/file/demo"], "is a file"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(
    netstitch: Caller,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("kept")
    called = netstitch("demo", *arguments)
    assert called.code == 2
    assert message in called.error
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "file"]


def test_help_tells_the_seconds_that_the_demo_declares(netstitch: Caller) -> None:
    declared = read_experiment(find_experiment("demo")).search.seconds
    told = " ".join(netstitch("demo", "--help").out.split())
    assert f"ends in any case, by default {declared:g};" in told


@pytest.mark.slow
def test_a_short_demo_ends_with_a_table_and_the_paths(
    netstitch: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    called = netstitch("demo", "--seconds", "6")
    assert (called.code, called.err) == (0, "")
    for words in ("inverted", "residual", "ensemble", "netstitch-demo/front.png", "model.onnx"):
        assert words in called.out
    assert isinstance(ns.load("netstitch-demo"), ns.Supernet)

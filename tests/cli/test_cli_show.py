"""Results on stdout: nothing of a number is cut off."""

from dataclasses import replace
from pathlib import Path

import pytest

from netstitch.analysis import Front, FrontPoint
from netstitch.cli.show import show_export, show_run
from netstitch.exporting import Exported
from netstitch.runs.run import Finished


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_the_table_is_whole_on_terminals_of_any_width(
    finished: Finished,
    columns: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    first, *others = finished.front.references
    long = replace(first, label="a_network_with_a_name_as_long_as_people_give")
    show_run(replace(finished, front=Front(finished.front.points, (long, *others))))
    out = capsys.readouterr().out
    assert "…" not in out
    for row in finished.front.table()[2:]:
        shown = next(line for line in out.splitlines() if line.startswith(f"{row[0]} "))
        assert shown.split() == " ".join(row).split()
    assert long.label in out


@pytest.mark.parametrize(
    "stopped, text",
    [
        ("time", "its time was up"),
        ("interrupted", "it was interrupted"),
        ("patience", "nothing new was proposed"),
    ],
)
def test_why_the_search_ended_is_told(
    finished: Finished, stopped: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = finished.outcome.model_copy(update={"stopped": stopped, "failed": 3})
    show_run(replace(finished, outcome=outcome))
    out = " ".join(capsys.readouterr().out.split())
    assert f"the search ended since {text}" in out
    assert ", 3 failed;" in out


def test_what_was_exported_is_told_with_the_cost_of_its_front(
    capsys: pytest.CaptureFixture[str],
) -> None:
    point = FrontPoint("P1", (0,), 2_500_000, 1, 0.905, cost=1234.0)
    for name, line in (
        ("parameters", "P1: 1,234 parameters, 2,500,000 multiply-adds, validation accuracy 90.50"),
        ("multiply-adds", "P1: 2,500,000 multiply-adds, validation accuracy 90.50"),
    ):
        show_export(Exported(Path("e"), {}, ()), point, Front((point,), cost_name=name))
        assert line in capsys.readouterr().out

"""Cascades on the page of a run: a row each, their stages, and thresholds that can be moved."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from generated_run import generate

from netstitch.analysis import Interval
from netstitch.records import read_run
from netstitch.records.run_record import RunRecord
from netstitch.report import page
from netstitch.report.cascade_sections import shown_cascades
from netstitch.report.hypervolume_table import hypervolume_table
from netstitch.report.network_sections import shown_networks
from netstitch.report.point_table import columns_of
from netstitch.report.summary import answer, named_cascade


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    folder = tmp_path_factory.mktemp("cascades") / "run"
    generate(folder, 400, cascades=True)
    return read_run(folder)


def test_a_plain_cascade_stage_by_stage(run: RunRecord) -> None:
    shown = {each.label: each for each in shown_cascades(run)}
    assert list(shown)[:2] == ["exits-1", "plain-1"]
    first, second = shown["plain-1"].stages
    assert (first.title, second.title) == ("Stage 1: wide", "Stage 2: ensemble")
    assert first.text.startswith("It computes wide. That is 1.38 k multiply-adds (54% of the")
    assert first.text.endswith(
        "It answers 55% of test samples, with a confidence of 0.365 or more."
    )
    assert second.text.startswith("It adds deep; reuses wide. That is")
    assert second.text.endswith("more. It answers the rest, 45% of test samples.")
    assert " pale" not in first.drawing
    assert second.drawing.count(" pale") == 1  # wide, which the first stage computed
    assert shown["plain-1"].reference
    assert not shown["plain-1"].command
    assert "--point C1" in shown["C1"].command


def test_the_threshold_begins_where_the_cascade_has_it(run: RunRecord) -> None:
    (point,) = (one for one in run.front.plain_cascades if one.label == "plain-1")
    curve = next(each.curve for each in shown_cascades(run) if each.label == "plain-1")
    assert curve is not None
    line, references, chosen = curve.chart.series
    assert list(line.x) == [cost for _, _, cost in point.curve]
    assert references.name == "reference"
    assert point.curve[curve.at][0] == 0.365
    assert (chosen.x[0], chosen.y[0]) == (line.x[curve.at], line.y[curve.at])
    assert curve.told[curve.at].startswith("threshold 0.365: 69.77 % of validation samples right")


def test_a_row_has_a_cell_for_each_column(run: RunRecord) -> None:
    columns = columns_of(run.front)
    rows = [*shown_networks(run), *shown_cascades(run)]
    assert {len(row.cells) for row in rows} == {len(columns) - 1}
    cells = dict(zip(columns[1:], rows[-1].cells, strict=True))
    assert cells["stops first"].text == "55%"
    assert cells["minus plain cascade"].text == "+1.00 [-0.50, +2.00]"
    assert float(cells["worst case, of ensemble"].value or 0) > 1


def test_the_page_has_all_of_it(run: RunRecord) -> None:
    text = page(run)
    assert "Networks and cascades" in text
    assert '"curve-C1"' in text
    assert "an exit, the beginning of a basis network" in text
    labels = set(re.findall(r'data-label="([^"]+)"', text))
    assert {"C1", "plain-1", "exits-1", "P1", "ensemble"} <= labels
    assert text.index('data-label="ensemble"') < text.index('data-label="C1"')


def test_the_answer_names_the_cascade_that_is_shown_first(run: RunRecord) -> None:
    best = max(run.front.cascades, key=lambda one: one.validation)
    assert f"{best.label}, chosen on validation samples, is right on 73.00 % of" in answer(run)
    assert f'data-first="{best.label}"' in page(run)


def test_an_exit_may_dominate_a_network_that_went_in(run: RunRecord) -> None:
    exit = next(point for point in run.front.points if point.exit is not None)
    better = replace(run, front=replace(run.front, points=(exit,)))
    assert f"{exit.label} is as accurate as wide on test samples or better" in answer(better)


def test_what_dominates_several_references_is_said_once(run: RunRecord) -> None:
    point = replace(run.front.points[-1], genotype=(9,), cost=10.0, test=0.9, label="P9")
    wide, deep, *_ = run.front.references
    references = (replace(wide, cost=20.0, test=0.8), replace(deep, cost=40.0, test=0.85))
    better = replace(run, front=replace(run.front, points=(point,), references=references))
    assert (
        "P9 is as accurate as wide and deep on test samples or better (+5.00 to +10.00 points) and "
        "costs 50 to 75% less."
    ) in answer(better)


def test_of_cascades_as_good_as_the_ensemble_the_cheapest_is_named(run: RunRecord) -> None:
    near = Interval(-0.001, -0.002, 0.001)
    cheap, *_, dear = (replace(one, validation_difference=near) for one in run.front.cascades)
    dear = replace(dear, validation=1.0)
    front = replace(run.front, cascades=(cheap, dear))
    assert named_cascade(front) == cheap


def test_hypervolumes_of_each_set_of_points(run: RunRecord) -> None:
    head, *rows = hypervolume_table(run.front, "tenth")
    assert [row[0] for row in rows] == [
        *("networks that went in", "and plain cascades", "and plain cascades with exits"),
        *("networks", "cascades", "networks and cascades"),
    ]
    values = {row[0]: [float(cell) for cell in row[1:]] for row in rows}
    both, networks = values["networks and cascades"], values["networks"]
    assert all(one >= other for one, other in zip(both, networks, strict=True))
    assert len(head) == 1 + 2 * len(run.front.parts)


def test_a_run_without_cascades_has_neither_columns_nor_rows_of_them(tmp_path: Path) -> None:
    generate(tmp_path / "run", 100)
    run = read_run(tmp_path / "run")
    assert shown_cascades(run) == []
    assert "stops first" not in columns_of(run.front)
    _, *rows = hypervolume_table(run.front, "tenth")
    assert [row[0] for row in rows] == ["networks that went in", "networks"]

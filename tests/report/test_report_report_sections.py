"""Figures for papers: every chart in every format, equal each time, nothing half-written."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from generated_run import generate
from PIL import Image

from netstitch.drawing.chart import Bars, Chart, Series
from netstitch.drawing.matplotlib_chart import print_chart
from netstitch.errors import DataError, StorageError
from netstitch.records import read_run
from netstitch.records.run_record import RunRecord
from netstitch.report import write_figures
from netstitch.report.report_sections import sections_of


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunRecord:
    folder = tmp_path_factory.mktemp("figures") / "run"
    generate(folder, 400)
    return read_run(folder)


def test_every_chart_in_every_format(run: RunRecord, tmp_path: Path) -> None:
    names = write_figures(run, tmp_path / "figures")
    charts = sum(len(section.charts) for section in sections_of(run))
    assert len(names) == 2 + charts
    found = {path.name for path in (tmp_path / "figures").iterdir()}
    assert found == {f"{name}.{form}" for name in names for form in ("png", "pdf", "svg")}
    for name in names:
        ElementTree.parse(tmp_path / "figures" / f"{name}.svg")
        assert (tmp_path / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("columns, inches", [(1, 3.33), (2, 7.0)])
def test_widths_are_those_of_columns(
    run: RunRecord, tmp_path: Path, columns: int, inches: float
) -> None:
    write_figures(run, tmp_path / "f", formats=["png"], columns=columns)  # type: ignore[arg-type]
    with Image.open(tmp_path / "f" / "errors-0.png") as image:
        assert image.width == pytest.approx(200 * inches, abs=1)
    with Image.open(tmp_path / "f" / f"front-{columns}.png") as image:
        assert image.width == pytest.approx(200 * inches, abs=1)


def test_equal_runs_give_equal_files(run: RunRecord, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write_figures(run, tmp_path / folder)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_a_folder_that_is_not_empty(run: RunRecord, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(StorageError, match="not empty"):
        write_figures(run, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_another_format(tmp_path: Path) -> None:
    chart = Chart("x", "y", (Series("a", [0, 1], [0, 1]),))
    with pytest.raises(DataError, match=r"ends in \.png, \.pdf, \.svg"):
        print_chart(chart, tmp_path / "chart.bmp")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "chart",
    [
        Chart("x", "y", ()),
        Chart("x", "y", (Series("a", [], [], "marks"),), percent=True),
        Chart("x", "y", (Series("<b>&$x_1$", [1], [2], "steps"), Series("b", [1e6], [0])), (0, 2)),
        Bars("seconds", {}),
        Bars("seconds", {"<fit>": 3.0}),
    ],
)
def test_little_to_draw(chart: Chart | Bars, tmp_path: Path) -> None:
    print_chart(chart, tmp_path / "chart.svg")
    ElementTree.parse(tmp_path / "chart.svg")

"""One description of a chart, drawn on a page and on paper."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from netstitch.drawing import Chart, Series
from netstitch.drawing.matplotlib_chart import print_panels
from netstitch.drawing.plotly_chart import interactive
from netstitch.drawing.theme import SHADE, style_of
from netstitch.text import unit_and_scale

SVG = "{http://www.w3.org/2000/svg}"
CHART = Chart(
    "cost",
    "accuracy",
    (
        Series("front", [1e6, 4e6], [0.5, 0.9], "steps", emphasis="boundary"),
        Series("found", [1e6], [0.5], "marks", hover=["P1\n<b> & more"], keys=["P1"]),
        Series("found", [4e6], [0.9], "marks", 1, hover=["P2\nwords"], keys=["P2"]),
        Series("reference", [3e6], [0.6], "marks", emphasis="reference", labels=["<small>"]),
    ),
    x_range=(0, 5e6),
    y_range=(0.4, 1.0),
    title="Validation",
    regions=((3e6, 0.6),),
    region="dominated",
)


def texts(charts: list[Chart], path: Path) -> list[tuple[str, float]]:
    """Return all texts of a figure for a paper, and where they begin, in points."""
    print_panels(charts, path, columns=2)
    found = []
    for each in ElementTree.parse(path).getroot().iter(f"{SVG}text"):
        moved = re.search(r"translate\(([-\d.]+)", each.get("transform", ""))
        found.append((each.text or "", float(each.get("x") or (moved[1] if moved else "nan"))))
    return found


def test_both_renderers_draw_every_series_region_and_label(tmp_path: Path) -> None:
    page = interactive(CHART)
    assert [trace.name for trace in page.data] == ["front", "found", "found", "reference"]
    assert [trace.showlegend for trace in page.data] == [True, True, False, True]
    assert page.data[1].hovertext[0] == "P1<br>&lt;b> &amp; more"
    assert page.data[2].customdata[0][0] == "P2"
    assert (page.layout.shapes[0].x1, page.layout.shapes[0].y0) == (3e6, 0.6)
    words = [text for text, _ in texts([CHART], tmp_path / "one.svg")]
    for word in ("front", "found", "reference", "dominated", "Validation", "cost (M)"):
        assert word in words
    assert words.count("found") == 1


def test_panels_share_their_axes_and_shade_regions(tmp_path: Path) -> None:
    print_panels([CHART, CHART], tmp_path / "two.png", columns=2)
    image = np.asarray(Image.open(tmp_path / "two.png").convert("RGB"))
    shade = [int(SHADE[start : start + 2], 16) for start in (1, 3, 5)]
    left, right = np.array_split((image == shade).all(-1), 2, axis=1)
    assert left.mean() > 0.05
    assert right.mean() == pytest.approx(left.mean(), rel=0.05)


def test_a_legend_is_no_wider_than_its_figure(tmp_path: Path) -> None:
    names = [f"a name of some length, {index}" for index in range(7)]
    series = tuple(Series(name, [0, 1], [0, 1]) for name in names)
    chart = Chart("x", "y", series, title="t")
    begins = [x for text, x in texts([chart], tmp_path / "wide.svg") if text in names]
    assert len(begins) == len(names)
    assert min(begins) > 0
    assert max(begins) < 7.0 * 72 - 80  # points of two columns, less the text itself


@pytest.mark.parametrize(
    "most, unit, scale",
    [(272, "", 1), (3_000, "k", 1e3), (2_612_496, "M", 1e6), (4_100_000_000, "G", 1e9)],
)
def test_costs_have_a_unit_that_ticks_are_short_in(most: int, unit: str, scale: float) -> None:
    assert unit_and_scale(most) == (unit, scale)


def test_a_line_does_not_hide_what_its_marks_say() -> None:
    line, marks = Series("a", [1, 2], [3, 4], "steps"), Series("a", [1], [3], "marks", keys=["P1"])
    alone = Series("b", [1, 2], [3, 4], "steps")
    first, second, third = interactive(Chart("x", "y", (line, marks, alone))).data
    assert first.hoverinfo == "skip"
    assert second.hoverinfo is None
    assert third.hoverinfo is None


def test_directions_of_four_networks_look_different() -> None:
    assert len({style_of(index) for index in range(4 * 3)}) == 12
    assert len({style_of(index)[::2] for index in range(4 * 3)}) == 12  # on a page
    assert len({style_of(index)[0] for index in range(5)}) == 5


def test_names_of_many_series_do_not_cover_the_axis() -> None:
    legend = interactive(Chart("x", "y", ())).layout.legend
    assert (legend.yref, legend.y, legend.yanchor) == ("container", 0, "bottom")

from collections import defaultdict
from pathlib import Path

from example_fronts import front_of_both
from PIL import Image

from netstitch.analysis import Front, front_figure
from netstitch.analysis.front_figure import fronts_charts
from netstitch.drawing.chart import Chart, Series


def by_name(chart: Chart) -> dict[str, dict[str, Series]]:
    found: dict[str, dict[str, Series]] = defaultdict(dict)
    for series in chart.series:
        found[series.name][series.kind] = series
    return found


def test_each_kind_has_a_line_and_marks_of_its_own() -> None:
    found = by_name(front_of_both().chart("validation"))
    assert list(found) == [
        *("networks", "exits", "cascades", "plain cascades", "plain cascades with exits"),
        "reference",
    ]
    right = 1.12 * 8_000_000
    line = found["networks"]["steps"]
    assert list(line.x) == [900_000, 6_000_000, right]  # the exit is a network too
    assert list(found["networks"]["marks"].x) == [6_000_000]
    assert list(found["exits"]["marks"].x) == [900_000]
    assert list(found["cascades"]["steps"].x) == [1_400_000, 2_600_000, right]
    assert list(found["plain cascades"]["marks"].x) == [4_400_000]
    assert found["plain cascades with exits"]["steps"].emphasis == "dashed"


def test_lines_of_what_a_user_has_anyway_count_in_the_networks_and_the_exits() -> None:
    found = by_name(front_of_both().chart("validation"))
    plain, with_exits = (
        found[name]["steps"] for name in ("plain cascades", "plain cascades with exits")
    )
    right = 1.12 * 8_000_000
    assert list(plain.x) == [3_200_000, 4_400_000, 8_000_000, right]  # the networks, and plain-1
    assert list(with_exits.x) == [900_000, 2_500_000, 4_400_000, 8_000_000, right]


def test_references_have_no_line_of_cascades_where_there_are_none() -> None:
    front = front_of_both()
    alone = by_name(Front(front.points, front.references, cascades=front.cascades).chart("test"))
    assert "plain cascades" not in alone


def test_cascades_stand_at_what_they_cost_on_the_samples_shown() -> None:
    chart = front_of_both().chart("test")
    assert list(by_name(chart)["cascades"]["marks"].x) == [1_500_000, 2_700_000]
    assert chart.x == "mean multiply-adds per sample"


def test_words_and_labels_are_those_of_the_page() -> None:
    chart = front_of_both().chart("test", {"C1": "exit features.3, then ensemble"})
    marks = by_name(chart)["cascades"]["marks"]
    assert list(marks.keys) == ["C1", "C2"]
    assert marks.hover[0] == "C1\nexit features.3, then ensemble"


def test_a_figure_with_one_entry_in_the_legend_for_each_kind(tmp_path: Path) -> None:
    front_figure(front_of_both(), tmp_path / "front.svg", floor=0.85, columns=2)
    text = (tmp_path / "front.svg").read_text()
    for name in (">cascades<", ">networks<", ">plain cascades<", ">plain cascades with exits<"):
        assert text.count(name) == 1
    front_figure(front_of_both(), tmp_path / "front.png", columns=1)
    with Image.open(tmp_path / "front.png") as image:
        assert image.width > 600


def test_runs_have_fronts_of_both_kinds() -> None:
    both, networks = front_of_both(), Front(front_of_both().points, front_of_both().references)
    _, test = fronts_charts({"ga": [both, both], "gomea": [networks]}, 0.5)
    lines = [one for one in test.series if one.kind == "steps"]
    names = ["ga (2 runs)"] * 2 + ["ga, cascades (2 runs)"] * 2 + ["gomea (1 run)"]
    names.append("plain cascades with exits")
    assert [line.name for line in lines] == names
    assert [line.style for line in lines] == [0, 0, 1, 1, 2, 3]
    assert list(lines[2].x)[:2] == [1_500_000, 2_700_000]

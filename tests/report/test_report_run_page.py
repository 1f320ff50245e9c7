"""The page as text: it holds what the run holds, asks for nothing, and keeps text as text."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from generated_run import generate

from netstitch.errors import DataError, StorageError
from netstitch.records import read_run
from netstitch.records.run_folder import EVALUATIONS, FRONT_FILE
from netstitch.report import page, write_page


class Elements(HTMLParser):
    """Tags with their attributes, in order, and what stands in scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def tagged(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def data_of(text: str, name: str) -> dict[str, Any]:
    match = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.S)
    assert match is not None
    found: dict[str, Any] = json.loads(match.group(1))
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "run"
    generate(folder, 3_000)
    return folder


def test_each_network_has_a_row_and_a_drawing(run: Path) -> None:
    recorded = read_run(run)
    elements = Elements(page(recorded))
    labels = {p.label for p in (*recorded.front.references, *recorded.front.points)}
    assert {row["data-label"] for row in elements.tagged("tr") if "data-label" in row} == labels
    details = data_of(page(recorded), "networks-data")
    assert details.keys() == labels
    for label, text in details.items():
        shown = Elements(text)
        assert [each["data-network"] for each in shown.tagged("article")] == [label]
        assert len(shown.tagged("svg")) == 1


def test_every_chart_has_its_data(run: Path) -> None:
    text = page(read_run(run))
    elements = Elements(text)
    charts = data_of(text, "charts")
    ids = {each["data-chart"] for each in elements.tagged("div") if "data-chart" in each}
    assert ids == charts.keys()
    assert {"front-validation", "front-test", "hypervolume-0", "errors-0", "calibration-3"} <= ids
    assert "calibration error, 10 bins" in text


def test_nothing_is_asked_of_the_network(run: Path) -> None:
    elements = Elements(page(read_run(run)))
    for tag, attributes in elements.found:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith("#"), (tag, name, value)
    assert not elements.tagged("link")
    assert not elements.tagged("iframe")


def test_what_users_name_is_text(tmp_path: Path) -> None:
    name = "<script>alert(1)</script>"
    folder = tmp_path / "<img src=x onerror=alert(2)>"
    generate(folder, 50, name=name)
    text = page(read_run(folder))
    elements = Elements(text)
    assert len(elements.tagged("script")) == 4
    assert not elements.tagged("img")
    for each in data_of(text, "networks-data").values():
        assert not {"script", "img"} & {tag for tag, _ in Elements(each).found}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_a_run_of_a_hundred_thousand_is_small(run: Path, tmp_path: Path) -> None:
    few = len(page(read_run(run)))
    generate(tmp_path / "run", 100_000)
    assert len(page(read_run(tmp_path / "run"))) < 15e6
    assert few < 15e6


def test_a_run_that_was_stopped_before_its_front(tmp_path: Path) -> None:
    generate(tmp_path / "run", 300, done=False)
    recorded = read_run(tmp_path / "run")
    assert (recorded.state, recorded.measured) == ("stopped", False)
    assert len(recorded.front) > 1
    text = page(recorded)
    assert "This run was stopped before it was done" in text
    assert "with the accuracies that the search saw" in text
    assert "netstitch export" not in text


def test_a_run_that_evaluated_nothing(tmp_path: Path) -> None:
    generate(tmp_path / "run", 0, done=False)
    recorded = read_run(tmp_path / "run")
    assert len(recorded.front) == 0
    text = page(recorded)
    assert "Nothing was evaluated yet" in text
    assert "Error by depth" in text


def test_a_run_before_its_search(tmp_path: Path) -> None:
    generate(tmp_path / "run", 0, done=False)
    (tmp_path / "run" / EVALUATIONS).unlink()
    assert "Nothing was evaluated yet" in page(read_run(tmp_path / "run"))


@pytest.mark.parametrize("content", ["{", '{"format": "netstitch front"}'])
def test_a_damaged_front(tmp_path: Path, content: str) -> None:
    generate(tmp_path / "run", 20)
    (tmp_path / "run" / FRONT_FILE).write_text(content)
    with pytest.raises(StorageError, match=r"front\.json"):
        read_run(tmp_path / "run")


def test_a_front_of_another_supernet(tmp_path: Path) -> None:
    generate(tmp_path / "run", 20)
    path = tmp_path / "run" / FRONT_FILE
    document = json.loads(path.read_text())
    document["points"][0]["genotype"] = [0, 1]
    path.write_text(json.dumps(document))
    with pytest.raises(StorageError, match="of another supernet"):
        read_run(tmp_path / "run")


def test_a_damaged_table(tmp_path: Path) -> None:
    generate(tmp_path / "run", 20)
    (tmp_path / "run" / "search.csv").write_text("used,skipped\n1,many\n")
    with pytest.raises(StorageError, match=r"search\.csv is damaged"):
        read_run(tmp_path / "run")


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"run\.json"):
        read_run(tmp_path)


def test_the_floor(run: Path, tmp_path: Path) -> None:
    write_page(read_run(run), tmp_path / "report.html", floor=0.55)
    text = (tmp_path / "report.html").read_text()
    assert re.search(r'value="0\.55" checked', text)
    with pytest.raises(DataError, match="floor"):
        page(read_run(run), floor="low")

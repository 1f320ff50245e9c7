"""The report in a real browser: it asks for nothing, and what is clicked is what is shown."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from generated_run import generate
from plotly.offline import get_plotlyjs

from netstitch.records import read_run
from netstitch.report import write_page
from netstitch.supernet.supernet import Supernet

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None and "CI" not in os.environ, reason="there is no chromium on this machine"
    ),
]

EVALUATIONS = 100_000
ARTEFACTS = os.environ.get("NETSTITCH_SCREENSHOTS")
"""A folder that screenshots are kept in."""


class Opened:
    """A page that was opened, with all that it asked for and complained of."""

    def __init__(self, page: "playwright.Page", path: Path) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "console",
            lambda line: (
                self.complaints.append(line.text) if line.type in ("error", "warning") else None
            ),
        )
        started = time.monotonic()
        page.goto(path.as_uri())
        page.wait_for_selector("#front-validation .main-svg")
        self.seconds = time.monotonic() - started

    def visible(self) -> str:
        """The label of the network that is shown."""
        label = self.page.locator("article.network:visible").get_attribute("data-network")
        assert label is not None
        return label


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    assert CHROMIUM is not None, "CI needs chromium: apt-get install chromium"
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Supernet]:
    folder = tmp_path_factory.mktemp("large") / "run"
    supernet = generate(folder, EVALUATIONS, cascades=True)
    write_page(read_run(folder), folder / "report.html")
    return folder, supernet


@pytest.fixture
def opened(browser: "playwright.Browser", made: tuple[Path, Supernet]) -> Iterator[Opened]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    yield Opened(page, made[0] / "report.html")
    page.close()


def test_it_opens_fast_asks_for_nothing_and_logs_no_error(
    browser: "playwright.Browser", opened: Opened, made: tuple[Path, Supernet]
) -> None:
    path = made[0] / "report.html"
    assert path.stat().st_size < 15e6
    # Against plotly's script and a small chart alone, since machines differ and are busy.
    bare = path.with_name("bare.html")
    bare.write_text(
        f"<div id='front-validation'></div><script>{get_plotlyjs()}</script>"
        "<script>Plotly.newPlot('front-validation', [{x: [1, 2], y: [1, 2]}])</script>"
    )
    times: dict[Path, list[float]] = {path: [opened.seconds], bare: []}
    for each in (bare, path, bare, path, bare):
        page = browser.new_page()
        times[each].append(Opened(page, each).seconds)
        page.close()
    assert min(times[path]) < 2.5 * min(times[bare])
    for place in opened.page.locator(".chart").all():
        place.scroll_into_view_if_needed()
    opened.page.wait_for_selector("#time-0 .main-svg")
    assert opened.requests == [path.as_uri()]
    assert opened.complaints == []


@pytest.mark.parametrize("rank", [0, -1])
def test_a_click_on_a_mark_shows_that_network(
    opened: Opened, made: tuple[Path, Supernet], rank: int
) -> None:
    folder, supernet = made
    point = read_run(folder).front.points[rank]
    x, y = opened.page.evaluate(
        """([macs, accuracy]) => {
          const place = document.getElementById("front-validation");
          place.scrollIntoView();
          const {xaxis, yaxis, _size} = place._fullLayout;
          const box = place.getBoundingClientRect();
          const x = box.left + _size.l + xaxis.l2p(macs);
          return [x, box.top + _size.t + yaxis.l2p(accuracy)];
        }""",
        [point.multiply_adds, point.validation],
    )
    opened.page.mouse.move(x - 1, y)
    opened.page.mouse.move(x, y)
    # What a click chooses is what is hovered over, which takes plotly a moment.
    pattern = re.compile(rf"^{point.label}\D")
    opened.page.locator("#front-validation .hovertext", has_text=pattern).first.wait_for()
    opened.page.mouse.click(x, y)
    assert opened.visible() == point.label
    drawn = opened.page.locator("article.network:visible [data-stitch]")
    stitches = {int(each.get_attribute("data-stitch") or -1) for each in drawn.all()}
    genotype = np.array(point.genotype)
    active = supernet.active(genotype)
    expected = {
        switch.stitches[choice]
        for switch, choice, runs in zip(supernet.switches, genotype[:-1], active[:-1], strict=True)
        if runs and choice
    }
    assert stitches == expected


def test_a_name_in_the_table_shows_that_network_by_keyboard_too(opened: Opened) -> None:
    button = opened.page.locator("tr[data-label=P2] button.choose")
    button.focus()
    opened.page.keyboard.press("Enter")
    assert opened.visible() == "P2"
    assert "netstitch export" in opened.page.locator("article.network:visible").inner_text()
    assert opened.page.url.endswith("#P2")


def test_a_threshold_is_moved(opened: Opened, made: tuple[Path, Supernet]) -> None:
    """The mark and the words follow, and another cascade begins where it has its own."""
    point = next(one for one in read_run(made[0]).front.cascades if one.label == "C1")
    opened.page.locator("tr[data-label=C1] button.choose").click()
    slider = opened.page.locator(".threshold input")
    told = opened.page.locator(".threshold output")
    assert told.inner_text().startswith("threshold 0.365:")
    opened.page.wait_for_selector(".threshold .main-svg")
    slider.press("End")
    threshold, accuracy, cost = point.curve[-1]
    assert told.inner_text().startswith(f"threshold {threshold:.4g}: {100 * accuracy:.2f} %")
    places = "const all = document.querySelector('.threshold .chart').data; const last = all.at(-1)"
    found = opened.page.evaluate(f"(() => {{ {places}; return [last.x[0], last.y[0]]; }})()")
    assert found == pytest.approx([cost, accuracy])
    opened.page.locator("tr[data-label=plain-1] button.choose").click()
    assert told.inner_text().startswith("threshold 0.365:")
    assert opened.complaints == []


def test_columns_sort_both_ways(opened: Opened) -> None:
    head = opened.page.locator("#networks thead th", has_text="validation").first
    for way in ("ascending", "descending"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == way
        values = opened.page.eval_on_selector_all(
            "#networks tbody tr", "rows => rows.map(row => Number(row.dataset.accuracy))"
        )
        assert values == sorted(values, reverse=way == "descending")


def test_rows_are_filtered(opened: Opened) -> None:
    opened.page.fill("input[name=cost]", "80")
    opened.page.fill("input[name=accuracy]", "70")
    shown = opened.page.eval_on_selector_all(
        "#networks tbody tr:not([hidden])",
        "rows => rows.map(row => [Number(row.dataset.cost), Number(row.dataset.accuracy)])",
    )
    everything = opened.page.locator("#networks tbody tr").count()
    assert 0 < len(shown) < everything
    assert all(cost <= 80 and accuracy >= 70 for cost, accuracy in shown)
    text = opened.page.locator("#count").inner_text()
    assert text == f"{len(shown)} of {everything} networks and cascades"


def test_the_floor_moves_the_axis(opened: Opened) -> None:
    def lowest() -> float:
        return float(
            opened.page.evaluate(
                "document.getElementById('front-validation')._fullLayout.yaxis.range[0]"
            )
        )

    before = lowest()
    opened.page.check("input[name=floor] >> nth=-1")
    assert lowest() < 0.05 < before


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_at_each_width(
    browser: "playwright.Browser", made: tuple[Path, Supernet], width: int, scheme: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    opened = Opened(page, made[0] / "report.html")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    text, behind = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert contrast(text, behind) > 7
    if ARTEFACTS:
        for place in page.locator(".chart").all():
            place.scroll_into_view_if_needed()
        Path(ARTEFACTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(ARTEFACTS) / f"report-{scheme}-{width}.png", full_page=True)
    assert opened.complaints == []
    page.close()


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, by the Web Content Accessibility Guidelines."""

    def luminance(colour: str) -> float:
        channels = [int(part) / 255 for part in colour[4:-1].split(",")]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)

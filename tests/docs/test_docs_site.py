"""The documentation builds without a warning, needs no network, and what it says to do works."""

import importlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from netstitch.analysis import Front

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ROOMS = [path.stem for path in sorted((DOCS / "api").glob("*.md")) if path.stem != "index"]


class Loaded(HTMLParser):
    """The things that a page loads: scripts, styles, pictures, and frames."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = {"link": "href"}.get(tag, "src")
        if tag in ("script", "img", "iframe", "link", "source") and given.get(name):
            if tag == "link" and given.get("rel") in ("next", "prev", "canonical"):
                return
            self.found.append(str(given[name]))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return folder


def test_files_that_pages_name_exist() -> None:
    pages = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    named = [
        (page.name, file)
        for page in pages
        for file in re.findall(
            r"`(?:python )?((?:netstitch|tests|benchmarks|examples|docs)/[^`:]*?\.\w+)",
            page.read_text(),
        )
    ]
    assert len(named) > 50
    assert [each for each in named if not (ROOT / each[1]).exists()] == []


@pytest.mark.slow
def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        for loaded in Loaded(page.read_text()).found:
            assert not re.match(r"(https?:)?//", loaded), (page, loaded)


@pytest.mark.slow
def test_the_site_works_as_files_without_a_network(site: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = next((p for p in ("/usr/bin/chromium", "/usr/bin/chromium-browser")
                     if Path(p).exists()), None)  # fmt: skip
    if chromium is None:
        assert not os.environ.get("CI"), "chromium is missing"
        pytest.skip("chromium is not installed: apt-get install chromium")
    asked: list[str] = []
    errors: list[str] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto((site / "index.html").as_uri())
        page.click("input[name=query]")
        page.keyboard.type("attainment", delay=20)
        found = "document.querySelector('.md-search__output').innerText"
        page.wait_for_function(f"{found}.includes('Report and comparison')", timeout=30_000)
        folder = os.environ.get("NETSTITCH_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.goto((site / "how-it-works.html").as_uri())
            page.screenshot(path=Path(folder) / "docs.png", full_page=True)
        browser.close()
    # A page that is a file asks for blobs of its own, too.
    assert {url.split(":")[0] for url in asked} <= {"file", "blob", "data", "about"}
    assert errors == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_has_its_place(room: str) -> None:
    """All functions and classes that a room gives are on its page, by where they are defined."""
    module = importlib.import_module(f"netstitch.{room}")
    text = (DOCS / "api" / f"{room}.md").read_text()
    for name in module.__all__:
        found = getattr(module, name)
        if inspect.isclass(found) or inspect.isfunction(found):
            assert f"::: {found.__module__}.{found.__qualname__}\n" in text, name


@pytest.mark.slow
def test_the_five_minute_page_word_for_word(tmp_path: Path) -> None:
    """All of its commands but the installation, in an empty folder."""
    install, *blocks = _blocks((DOCS / "index.md").read_text())
    assert "pip install ." in install[1]
    assert [kind for kind, _ in blocks] == ["sh", "sh", "python"]
    place = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for kind, text in blocks:
        command = ["sh", "-ec", text] if kind == "sh" else [sys.executable, "-c", text]
        done = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "PATH": place}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    front = Front.from_json(tmp_path / "netstitch-demo" / "front.json")
    expected = front.pick(max_mean_cost=2e6).test
    assert expected is not None
    assert done.stdout.strip() == f"{expected:.4f} of 10,000 test images"
    assert (tmp_path / "netstitch-demo" / "report.html").exists()


@pytest.mark.slow
def test_the_tour_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cell by cell, and matching, front and network show themselves."""
    nbformat = pytest.importorskip("nbformat")
    client = pytest.importorskip("nbclient")
    monkeypatch.chdir(tmp_path)
    notebook = nbformat.read(ROOT / "examples" / "tour.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    shown = [
        output["data"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "data" in output
    ]
    assert sum("<svg" in data.get("text/html", "") for data in shown) == 3
    assert shown[-1]["text/plain"] == "True"  # the network that was loaded is that


def test_the_tour_is_kept_with_what_it_shows() -> None:
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(ROOT / "examples" / "tour.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs for cell in code)
    assert not [o for cell in code for o in cell.outputs if o.output_type == "error"]


def _blocks(text: str) -> list[tuple[str, str]]:
    found: Iterator[re.Match[str]] = re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S)
    return [(match[1], match[2]) for match in found]


def test_api_pages_are_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS))
    pages = importlib.import_module("api_pages")
    for room in pages.ROOMS:
        assert (DOCS / "api" / f"{room}.md").read_text() == pages.page(room), room

"""Tables for papers and notebooks: what users name things is text in them."""

from xml.etree import ElementTree

from netstitch.analysis import Front, FrontPoint
from netstitch.analysis.tables import latex, markdown

ROWS = [["group", "p"], ["a_b & 50% <x>", "0.01"], ["x|y", "$1"]]


def test_markdown() -> None:
    assert markdown(ROWS) == (
        "| group | p |\n| --- | --- |\n| a\\_b & 50% \\<x\\> | 0.01 |\n| x\\|y | $1 |\n"
    )


def test_latex() -> None:
    text = latex(ROWS, "100 %")
    assert r"a\_b \& 50\% \textless{}x\textgreater{} & 0.01 \\" in text
    assert r"x|y & \$1 \\" in text
    assert r"\begin{tabular}{lr}" in text
    assert r"\caption{100 \%}" in text


def test_a_front_is_its_figure_and_its_table() -> None:
    points = (FrontPoint("P1", (0,), 100, 1, 0.5, 0.4), FrontPoint("P2", (1,), 200, 0, 0.9, 0.8))
    reference = FrontPoint("<b>", (2,), 300, 0, 0.7, 0.7, output="<i>")
    html = Front(points, (reference,))._repr_html_()
    figure, table = html[: html.index("<table")], html[html.index("<table") :]
    assert ElementTree.fromstring(figure).tag.endswith("svg")
    cells = [cell.text for cell in ElementTree.fromstring(table).iter("td")]
    assert "P1" in cells
    assert "<b>" in cells
    assert "90.00" in cells


def test_a_front_of_nothing() -> None:
    assert Front(())._repr_html_() == "<p>The front is empty.</p>"

"""A front in a notebook shows its table and its figure, and names as text."""

from xml.etree import ElementTree

from netstitch.analysis import Front, FrontPoint


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

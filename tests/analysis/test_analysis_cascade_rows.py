import csv
import os
from dataclasses import replace

from example_fronts import cascade, front_of_both
from rich.console import Console

from netstitch.analysis import front_table


def test_a_row_for_each_cascade_the_plain_ones_first() -> None:
    head, *rows = front_of_both().cascade_table()
    assert [row[0] for row in rows] == ["exits-1", "plain-1", "C1", "C2"]
    assert dict(zip(head, rows[-1], strict=True)) == {
        "cascade": "C2",
        "stages": "exit mobilenet f.3, ensemble",
        "stops first": "70%",  # on test samples, as the mean cost
        "mean MACs (M)": "2.70",
        "of ens.": "34%",
        "worst case": "100%",
        "val.": "93.00",
        "test": "92.80",
        "test minus ensemble": "+0.10 [-0.10, +0.30]",
        "minus plain": "+0.40 [+0.10, +0.70]",
    }


def test_networks_stand_first_in_the_terminal_and_numbers_are_whole() -> None:
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(front_table(front_of_both()))
    text = console.export_text()
    assert max(map(len, text.splitlines())) <= 100
    assert text.index("P2") < text.index("C1") < text.index("C2")
    assert "plain-1" not in text  # there may be dozens
    assert "…" not in text
    assert text.count("+0.40 [+0.10, +0.70]") == 2


def test_of_many_cascades_a_dozen_are_listed_about_as_accurate_as_the_references() -> None:
    front = front_of_both()
    many = [cascade(f"C{i}", 1e6 + 1e5 * i, 0.84 + 0.002 * i) for i in range(1, 47)]
    many_of_them = replace(front, cascades=tuple(many))
    _, *rows = many_of_them.cascade_table(short=True)
    assert len(rows) == 12
    listed = [float(row[6]) for row in rows]
    assert min(listed) >= 90.4  # the references have 91.2 % and more
    assert max(listed) == 93.2
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(front_table(many_of_them))
    assert "12 of 46 cascades" in console.export_text()


def test_cascades_worse_than_all_references_are_listed_all_the_same() -> None:
    few = (cascade("C1", 1e6, 0.5), cascade("C2", 2e6, 0.6))
    _, *rows = replace(front_of_both(), cascades=few).cascade_table(short=True)
    assert [row[0] for row in rows] == ["C1", "C2"]


def test_an_exit_is_called_one() -> None:
    head, *rows = front_of_both().table()
    stitches = {row[0]: row[head.index("stitches")] for row in rows}
    assert (stitches["P1"], stitches["P2"]) == ("exit", "1")


def test_the_file_has_a_kind_for_each(tmp_path) -> None:
    front_of_both().to_csv(tmp_path / "front.csv")
    text = (tmp_path / "front.csv").read_text()
    assert text.startswith("kind,label,cost,mean_cost,worst_cost,validation,test,")
    rows = {row["label"]: row for row in csv.DictReader(text.splitlines())}
    kinds = ["reference"] * 3 + ["plain cascade"] * 2 + ["network"] * 2 + ["cascade"] * 2
    assert [row["kind"] for row in rows.values()] == kinds
    assert rows["P1"]["exit"] == "features.3"
    last = rows["C2"]
    assert (last["mean_cost"], last["test_mean_cost"]) == ("2600000", "2700000")
    assert (last["cost"], last["worst_cost"]) == ("2600000", "8000000")
    assert (last["stages"], last["thresholds"]) == ("exit mobilenet f.3|ensemble", "0.55")
    assert (last["validation_shares"], last["test_shares"]) == ("0.75|0.25", "0.7|0.3")
    assert (last["test_minus_plain"], last["test_minus_plain_low"]) == ("0.004", "0.001")


def test_a_notebook_shows_both() -> None:
    html = front_of_both()._repr_html_()
    assert html.count("<table>") == 2
    assert "<td>C2</td>" in html

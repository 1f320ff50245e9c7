import csv
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from example_fronts import front_of_both
from rich.console import Console

from netstitch.analysis import Front, FrontPoint, Interval, front_table, make_front
from netstitch.analysis.calibration import Calibration
from netstitch.errors import NetstitchError, SearchError, StorageError


def reference(name: str, macs: int, validation: float, test: float) -> FrontPoint:
    return FrontPoint(name, (0, 0), macs, 0, validation, test, name, 1_000)


@pytest.fixture
def front() -> Front:
    """P1 to P3, given out of order."""
    references = (
        reference("resnet", 4_600_000, 0.920, 0.918),
        reference("mobilenet", 3_200_000, 0.915, 0.914),
        reference("ensemble", 8_000_000, 0.929, 0.926),
    )
    better = Interval(0.001, -0.0005, 0.0025)
    points = (
        FrontPoint("P3", (1, 2), 6_000_000, 4, 0.9312, 0.927, "ensemble", 900, None, better),
        FrontPoint("P1", (0, 1), 2_500_000, 1, 0.905, None, "mobilenet"),
        FrontPoint("P2", (1, 0), 4_000_000, 2, 0.9225, 0.919, "resnet", 700, better, better),
    )
    return Front(points, references)


def test_points_stand_by_multiply_adds(front):
    assert [point.label for point in front] == ["P1", "P2", "P3"]
    assert len(front) == 3
    assert front.ensemble is front.references[2]


def test_the_front_of_candidates_is_labelled_by_cost():
    candidates = [
        FrontPoint(f"c{index}", (index,), macs, 0, accuracy)
        for index, (macs, accuracy) in enumerate([(9, 0.8), (5, 0.7), (7, 0.6), (1, 0.1)])
    ]
    front = make_front(candidates)
    assert [(point.label, point.genotype) for point in front] == [
        ("P1", (3,)),
        ("P2", (1,)),
        ("P3", (0,)),
    ]
    assert front.ensemble is None


def test_confirmation_samples_decide_which_proposed_networks_stay(tmp_path):
    resnet = replace(reference("resnet", 6, 0.85, 0.85), confirmation=0.85)
    cheap, lucky, unlucky, best = (
        FrontPoint("c", (index,), macs, 0, seen, confirmation=unseen)
        for index, (macs, seen, unseen) in enumerate(
            [(1, 0.6, 0.61), (2, 0.7, 0.4), (7, 0.9, 0.7), (9, 0.95, 0.93)]
        )
    )
    dominated = FrontPoint("c", (9,), 8, 0, 0.8, confirmation=0.99)  # proposed by no search
    front = make_front([best, unlucky, dominated, lucky, cheap], [resnet])
    assert [(one.label, one.genotype) for one in front] == [("P1", (0,)), ("P2", (3,))]
    left = [(one.label, one.genotype) for one in front.unconfirmed]
    assert left == [("unconfirmed-1", (1,)), ("unconfirmed-2", (2,))]
    assert front.references == (resnet,)
    assert front.pick(max_macs=7).label == "P1"
    front.to_csv(tmp_path / "front.csv")
    rows = list(csv.DictReader((tmp_path / "front.csv").read_text().splitlines()))
    assert [row["kind"] for row in rows] == [
        *("reference", "network", "network", "unconfirmed network", "unconfirmed network")
    ]
    assert (rows[-1]["genotype"], float(rows[-1]["confirmation"])) == ("2", 0.7)
    front.to_json(tmp_path / "front.json")
    assert Front.from_json(tmp_path / "front.json") == front
    # Of what is there the same front comes again.
    again = make_front([*front.points, *front.unconfirmed], front.references)
    assert again == front


@pytest.mark.parametrize(
    ("limits", "label"),
    [
        ({"max_macs": 5e6}, "P2"),
        ({"max_macs": 4_000_000}, "P2"),
        ({"max_macs": 1e9}, "P3"),
        ({"min_accuracy": 0.91}, "P2"),
        ({"min_accuracy": 0.9312}, "P3"),
        ({"max_macs": 7e6, "min_accuracy": 0.9}, "P3"),
        ({"point": "P1"}, "P1"),
        ({"point": 3}, "P3"),
        ({"point": "2"}, "P2"),
        ({"point": "ensemble"}, "ensemble"),
    ],
)
def test_pick(front, limits, label):
    assert front.pick(**limits).label == label


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_macs": 2e6}, "at most 2M multiply-adds; the front runs from P1 .*2.5M.* to P3"),
        ({"min_accuracy": 0.99}, "of at least 0.99; .* P3 .*accuracy 0.9312"),
        ({"max_macs": 3e6, "min_accuracy": 0.92}, "at most 3M multiply-adds and a validation"),
        ({"point": 7}, "no point '7'; it has .*P1 to P3"),
        ({"point": 1, "max_macs": 5e6}, "not both"),
        ({}, "nothing to choose"),
    ],
)
def test_pick_says_what_there_is(front, limits, message):
    with pytest.raises(SearchError, match=message):
        front.pick(**limits)


def test_pick_from_nothing():
    with pytest.raises(SearchError, match="the front is empty"):
        Front(()).pick(max_macs=5e6)


def test_json_there_and_back(front, tmp_path):
    path = tmp_path / "front.json"
    front.to_json(path)
    assert Front.from_json(path) == front
    assert os.listdir(tmp_path) == ["front.json"]


def edit(path: Path, change) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format="other"), "format"),
        (lambda d: d.update(version=1), "version"),
        (lambda d: d.update(surplus=1), "surplus"),
        (lambda d: d.pop("points"), "it does not say 'points'"),
        (lambda d: d["points"][1].update(multiply_adds="many"), "points.1.multiply_adds"),
        (lambda d: d["points"][1].update(validation=1.5), "accuracy 1.5 is not between"),
        (lambda d: d["points"][1].update(genotype=[0, 0.5]), "points.1.genotype.1"),
        (lambda d: d["points"][1].update(stitches=-1), "points.1.stitches is -1"),
        (lambda d: d["points"][2]["test_difference"].update(low=1), "no interval"),
        (lambda d: d["points"][1].update(label="P1"), "labels stand twice in a front: P1"),
    ],
)
def test_a_changed_file_is_refused(front, tmp_path, change, message):
    path = tmp_path / "front.json"
    front.to_json(path)
    edit(path, change)
    with pytest.raises(StorageError, match=message) as raised:
        Front.from_json(path)
    assert "\n" not in str(raised.value)
    assert "front.json holds no front" in str(raised.value)


def test_a_truncated_or_missing_file(front, tmp_path):
    path = tmp_path / "front.json"
    front.to_json(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StorageError, match="holds no front"):
        Front.from_json(path)
    with pytest.raises(StorageError, match="No such file"):
        Front.from_json(tmp_path / "none.json")


def test_csv_holds_plain_numbers(front, tmp_path):
    path = tmp_path / "front.csv"
    front.to_csv(path)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["label"] for row in rows] == ["resnet", "mobilenet", "ensemble", "P1", "P2", "P3"]
    assert [row["kind"] for row in rows] == ["reference"] * 3 + ["network"] * 3
    last = rows[-1]
    assert last["genotype"] == "1 2"
    assert float(last["validation"]) == 0.9312
    assert (last["test_difference_low"], last["validation_difference_low"]) == ("-0.0005", "")
    assert rows[3]["test"] == ""
    assert {float(rows[3][name]) for name in ("cost", "mean_cost", "worst_cost")} == {2.5e6}


def test_csv_gives_no_genotype_of_an_exit(tmp_path):
    """It would be that of another network, the whole one that the exit is the beginning of."""
    front_of_both().to_csv(tmp_path / "front.csv")
    rows = list(csv.DictReader((tmp_path / "front.csv").read_text().splitlines()))
    told = {row["label"]: (row["genotype"], row["exit"]) for row in rows}
    assert told["P1"] == ("", "features.3")
    assert told["P2"] == ("0 1 2", "")
    assert told["mobilenet"] == ("0 0 0", "")


@pytest.mark.parametrize("write", [Front.to_csv, Front.to_json])
def test_a_file_that_cannot_be_written(front, tmp_path, write):
    with pytest.raises(NetstitchError, match="cannot be written"):
        write(front, tmp_path / "absent" / "front")


def test_table_compares_with_the_ensemble(front):
    head, *rows = front.table()
    by_label = {row[0]: dict(zip(head, row, strict=True)) for row in rows}
    assert list(by_label)[:3] == ["resnet", "mobilenet", "ensemble"]
    assert by_label["P3"] == {
        "network": "P3",
        "output": "ensemble",
        "stitches": "4",
        "MACs (M)": "6.00",
        "of ens.": "75%",
        "validation": "93.12",
        "val. minus ensemble": "",
        "test": "92.70",
        "test minus ensemble": "+0.10 [-0.05, +0.25]",
    }
    assert by_label["P1"]["test"] == ""


def rendered(front: Front) -> list[str]:
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(front_table(front))
    return console.export_text().splitlines()


def test_the_terminal_table_fits_a_hundred_columns(front):
    text = "\n".join(rendered(front))
    assert "…" not in text
    for part in ("resnet", "mobilenet", "P3", "+0.10 [-0.05, +0.25]", "75%", "93.12"):
        assert part in text


def test_columns_without_values_are_left_out(front):
    points = tuple(
        FrontPoint(point.label, point.genotype, point.multiply_adds, 0, point.validation)
        for point in front
    )
    text = "\n".join(rendered(Front(points)))
    assert "validation" in text
    assert "test" not in text
    assert "output" not in text


def test_impossible_numbers():
    with pytest.raises(ValueError, match=r"accuracy 93\.0"):
        FrontPoint("P1", (0,), 1, 0, 93.0)
    with pytest.raises(ValueError, match="accuracy nan"):
        FrontPoint("P1", (0,), 1, 0, float("nan"))
    with pytest.raises(ValueError, match="negative"):
        FrontPoint("P1", (0,), -1, 0, 0.5)


def test_a_front_of_another_cost(tmp_path):
    points = [
        FrontPoint(f"c{index}", (index,), macs, 0, accuracy, cost=cost)
        for index, (macs, accuracy, cost) in enumerate([(9, 0.8, 0.02), (5, 0.7, 0.5)])
    ]
    front = make_front(points, cost_name="latency", unit="seconds")
    assert [(point.genotype, point.cost) for point in front] == [((0,), 0.02)]
    assert front.pick(max_cost=0.02).multiply_adds == 9
    with pytest.raises(SearchError, match=r"at most 0\.01 seconds; .* P1 \(0\.02 seconds"):
        front.pick(max_cost=0.01)
    assert front.table()[0][3] == "latency (seconds)"
    assert front.cost_label == "latency, seconds"
    front.to_json(tmp_path / "front.json")
    assert Front.from_json(tmp_path / "front.json") == front
    front.to_csv(tmp_path / "front.csv")
    (row,) = csv.DictReader((tmp_path / "front.csv").read_text().splitlines())
    assert (row["cost"], row["cost_name"], row["unit"]) == ("0.02", "latency", "seconds")


def test_calibration_errors_of_15_and_of_ten_bins_are_in_the_file(tmp_path):
    """Half of the confidences of 0.65 and of 0.68 are right: one bin of a tenth, two of 1 / 15."""
    counts, sums, right = [0] * 30, [0.0] * 30, [0] * 30
    counts[19:21], sums[19:21], right[19:21] = [10, 10], [6.5, 6.8], [10, 0]
    calibration = {"test": Calibration(tuple(counts), tuple(sums), tuple(right))}
    network = FrontPoint("P1", (0,), 10, 0, 0.5, 0.5, calibration=calibration)
    Front((network,)).to_csv(tmp_path / "front.csv")
    (row,) = csv.DictReader((tmp_path / "front.csv").read_text().splitlines())
    assert float(row["test_calibration_error"]) == pytest.approx((3.5 + 6.8) / 20)
    assert float(row["test_calibration_error_of_ten_bins"]) == pytest.approx(3.3 / 20)


def test_the_cost_is_the_multiply_adds_unless_it_is_said(front):
    assert [point.cost for point in front] == [point.multiply_adds for point in front]
    assert front.pick(max_cost=5e6) == front.pick(max_macs=5e6)


def test_points_of_another_cost_are_given_it(front):
    with pytest.raises(ValueError, match="P1 has no latency, the cost of its front; give each"):
        make_front(front, cost_name="latency", unit="ms")
    with pytest.raises(ValueError, match="a has no latency"):
        Front((), (reference("a", 5, 0.5, 0.5),), cost_name="latency")
    timed = make_front([replace(one, cost=0.5) for one in front], cost_name="latency")
    assert timed.unit == "latency"


def test_what_there_is_is_told_in_the_unit_of_the_limit(front):
    turned = tuple(replace(one, cost=1e9 / one.multiply_adds) for one in front)
    pair = Front(turned, cost_name="parameters")
    with pytest.raises(SearchError, match=r"runs from P1 \(2\.5M multiply-adds.* to P3 \(6M mul"):
        pair.pick(max_macs=1)
    with pytest.raises(SearchError, match=r"runs from P3 \(166\.667 parameters.* to P3 \(166"):
        pair.pick(max_cost=1)
    with pytest.raises(SearchError, match=r"runs from P3 \(166\.667 parameters"):
        pair.pick(max_cost=1, max_macs=1)


@dataclass(frozen=True)
class Staged(FrontPoint):
    """A point that is more than a genotype: networks in stages, by their thresholds."""

    thresholds: tuple[float, ...] = ()


def test_a_point_may_be_more_than_a_genotype(front, tmp_path):
    staged = Staged("c", (1, 1), 3_000_000, 2, 0.928, 0.925, "ensemble", thresholds=(0.9,))
    mixed = make_front([*front, staged], front.references)
    found = mixed.pick(max_cost=3e6)
    assert isinstance(found, Staged)
    assert (found.label, found.thresholds) == ("P2", (0.9,))
    assert [row[0] for row in mixed.table()[-3:]] == ["P1", "P2", "P3"]
    assert 3e6 in [x for series in mixed.chart("test").series for x in series.x]
    mixed.to_csv(tmp_path / "front.csv")
    assert ",P2,3000000.0,3000000.0," in (tmp_path / "front.csv").read_text()


def test_the_file_says_what_its_points_are(front, tmp_path):
    path = tmp_path / "front.json"
    front.to_json(path)
    document = json.loads(path.read_text())
    assert len(document["points"]) == len(front)
    assert document["cascades"] == document["plain_cascades"] == []
    path.write_text(json.dumps(document | {"kind": "cascades"}))
    with pytest.raises(StorageError, match="kind"):
        Front.from_json(path)

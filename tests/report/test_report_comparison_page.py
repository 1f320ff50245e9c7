"""Runs compared: grouped by what they were asked, refused where they are of different tasks."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from generated_run import generate

from netstitch.analysis import Front, hypervolume
from netstitch.analysis.hypervolume import ReferencePoint
from netstitch.errors import DataError
from netstitch.records.run_folder import FRONT_FILE, HISTORY_FILE
from netstitch.records.unchanged import network_digests
from netstitch.report import Comparison, read_runs, write_comparison
from netstitch.report.compared_runs import RunGroup, places_of
from netstitch.report.comparison_charts import (
    attainment_chart,
    convergence_chart,
    group_stitches_chart,
)
from netstitch.report.comparison_page import answer, comparison_sections
from netstitch.report.comparison_tables import group_table, runs_table

SEEDS = (1, 2, 3)


def alter(folder: Path, **changes: object) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def make(folder: Path, algorithm: str, seed: int) -> Path:
    generate(folder, 200 + 40 * seed, seed=seed + (10 if algorithm == "ga" else 0))
    alter(folder, config={"name": "x", "search": {"algorithm": algorithm}, "seed": seed})
    return folder


def ensemble_cost(front: Front) -> int:
    assert front.ensemble is not None
    return front.ensemble.multiply_adds


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("runs")
    return [
        make(place / f"{algorithm}-{seed}", algorithm, seed)
        for algorithm in ("ga", "gomea")
        for seed in SEEDS
    ]


@pytest.fixture(scope="module")
def comparison(folders: list[Path]) -> Comparison:
    return read_runs(folders)


def test_runs_are_grouped_by_what_they_were_asked(comparison: Comparison) -> None:
    assert [(group.name, len(group.runs)) for group in comparison.groups] == [
        ("ga", 3),
        ("gomea", 3),
    ]
    assert comparison.notes == ()


def test_everything_is_written(comparison: Comparison, folders: list[Path], tmp_path: Path) -> None:
    write_comparison(comparison, tmp_path / "c")
    names = {path.name for path in (tmp_path / "c").iterdir()}
    assert {"compare.html", "compare.md", "compare.tex", "runs.csv"} <= names
    for chart in ("attainment-1", "fronts", "fronts-0", "fronts-1", "stitches-0"):
        assert {f"{chart}.{form}" for form in ("png", "pdf", "svg")} <= names
    rows = list(csv.DictReader((tmp_path / "c" / "runs.csv").open()))
    assert [row["run"] for row in rows] == [str(folder) for folder in folders]
    for row, folder in zip(rows, folders, strict=True):
        front = Front.from_json(folder / FRONT_FILE)
        for column, floor in (("hypervolume_test", 0.5), ("hypervolume_over_worst_test", 0.57)):
            expected = hypervolume(
                [point.test or 0.0 for point in front],
                [point.multiply_adds for point in front],
                ensemble=ensemble_cost(front),
                accuracy_floor=floor,
            )
            assert float(row[column]) == pytest.approx(expected)
        evaluations = int(row["evaluations"])
        assert (row["skipped"], row["unchanged"]) == (str(2 * evaluations), str(evaluations))
        assert row["stopped"] == "budget"
    page = (tmp_path / "c" / "compare.html").read_text()
    assert "signed-rank" in page
    for chart in ("convergence-0", "fronts-1", "stitches-0"):
        assert f'id="{chart}"' in page


def test_networks_and_cascades_stand_side_by_side(tmp_path: Path) -> None:
    for seed in range(2):
        generate(tmp_path / f"ga-{seed}", 100, seed=seed, cascades=True)
        generate(tmp_path / f"gomea-{seed}", 100, seed=seed + 10)
        for name in ("ga", "gomea"):
            alter(tmp_path / f"{name}-{seed}", config={"search": {"algorithm": name}, "seed": seed})
    comparison = read_runs([tmp_path / f"{name}-{s}" for name in ("ga", "gomea") for s in range(2)])
    rows = list(csv.DictReader(runs_table(comparison).splitlines()))
    assert [row["cascades"] for row in rows] == ["4", "4", "0", "0"]
    for row in rows:
        front = Front.from_json(Path(row["run"]) / FRONT_FILE)
        both = (*front.points, *front.cascades)
        expected = hypervolume(
            [point.test or 0.0 for point in both],
            [point.cost_on("test") for point in both],
            ensemble=ensemble_cost(front),
            accuracy_floor=comparison.over_floor.accuracy,
        )
        assert float(row["hypervolume_with_cascades_test"]) == pytest.approx(expected)
        assert float(row["hypervolume_test"]) <= expected
    head, *_ = group_table(comparison)
    assert "with cascades, test" in head
    titles = [section.title for section in comparison_sections(comparison)]
    assert titles[:4] == ["Groups", "Pairs", "Pairs, with cascades", "Fronts"]
    assert "With cascades, " in answer(comparison)
    names = {series.name for series in attainment_chart(comparison, "test").series}
    assert "ga, with cascades (2 runs)" in names
    assert "gomea, with cascades (2 runs)" not in names


def test_what_there_is_without_stitches_stands_beside_what_was_found(tmp_path: Path) -> None:
    """One run has plain cascades, the other none; what is said of these is of the first."""
    generate(tmp_path / "both", 100, cascades=True)
    generate(tmp_path / "alone", 100, seed=1)
    alter(tmp_path / "alone", config={"search": {"algorithm": "gomea"}})
    comparison = read_runs([tmp_path / "both", tmp_path / "alone"])
    front = Front.from_json(tmp_path / "both" / FRONT_FILE)
    for part in comparison.parts:
        plain = (*front.references, *front.plain_cascades)
        expected = hypervolume(
            [point.accuracy(part) or 0.0 for point in plain],
            [point.cost_on(part) for point in plain],
            ensemble=ensemble_cost(front),
            accuracy_floor=comparison.over_floor.accuracy,
        )
        rows = list(csv.DictReader(runs_table(comparison).splitlines()))
        assert float(rows[0][f"hypervolume_plain_cascades_{part}"]) == pytest.approx(expected)
        assert rows[1][f"hypervolume_plain_cascades_{part}"] == ""
        head, first, second = group_table(comparison)
        column = head.index(f"plain cascades, {part}")
        assert (first[column], second[column]) == (f"{expected:.4f}", "")
        series = {one.name: one for one in attainment_chart(comparison, part).series}
        assert series["plain cascades with exits"].emphasis == "dashed"
        assert attainment_chart(comparison, part).x.startswith("mean ")
    told = "Plain cascades, which need no stitches, have"
    assert f"{told} {expected:.4f} in the median." in answer(comparison)
    texts = " ".join(section.text for section in comparison_sections(comparison))
    assert "Dashed are plain cascades." in texts


def test_without_cascades_nothing_is_said_of_plain_ones(comparison: Comparison) -> None:
    head, *_ = group_table(comparison)
    assert not [name for name in head if "plain" in name]
    said = [answer(comparison), *(section.text for section in comparison_sections(comparison))]
    assert not [text for text in said if "lain cascades" in text]


def test_a_sweep_converges_as_the_size_that_was_kept(tmp_path: Path) -> None:
    """Whichever size that is: here the middle one of three, of 100 evaluations each."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for seed, folder in enumerate(folders):
        generate(folder, 300, seed=seed, swept={32: 0.2, 64: 0.4, 128: 0.3})
    comparison = read_runs(folders)
    over = comparison.over_floor
    ends = []
    for run in comparison.runs:
        kept = run.evaluations.searches[64].evaluation
        whole = kept[~run.evaluations.stopped_early[kept]]
        accuracies, costs = run.evaluations.score[whole], run.evaluations.cost[whole]
        volume = hypervolume(
            accuracies, costs, ensemble=over.ensemble, accuracy_floor=over.accuracy
        )
        ends.append(volume)
    (median,) = convergence_chart(comparison).series
    assert median.x[-1] == 100
    assert median.y[-1] == pytest.approx(sum(ends) / 2)


def test_searches_for_cross_entropy_converge_over_0(tmp_path: Path) -> None:
    """Their scores are no accuracies, of which the floor is, and may all be under it."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for seed, folder in enumerate(folders):
        generate(folder, 100, seed=seed)
    found = read_runs(folders)
    runs = []
    for run in found.runs:
        scores = run.evaluations.score / 2
        assert scores.max() <= found.over_floor.accuracy
        document = run.document.model_copy(update={"objective": "cross-entropy"})
        name = "exp(-cross-entropy)"
        objectives = {**run.evaluations.objectives, name: scores}
        evaluations = replace(run.evaluations, objectives=objectives, score_name=name)
        front = replace(run.front, objective="cross-entropy")
        runs.append(replace(run, document=document, evaluations=evaluations, front=front))
    comparison = replace(found, groups=(RunGroup("all runs", tuple(runs)),))
    ends = []
    for run in runs:
        whole = ~run.evaluations.stopped_early
        scores, costs = run.evaluations.score[whole], run.evaluations.cost[whole]
        ends.append(hypervolume(scores, costs, ensemble=ensemble_cost(run.front)))
    (median,) = convergence_chart(comparison).series
    assert median.y[-1] == pytest.approx(sum(ends) / 2)
    text = {one.name: one.text for one in comparison_sections(comparison)}
    assert "are over exp(-cross-entropy) 0 and up to" in text["convergence"]
    assert "are over accuracy 0.5 and up to" in text["groups"]


def test_what_runs_do_not_share_is_told(folders: list[Path], tmp_path: Path) -> None:
    """One reference point for all: over the least accuracy of a reference in any run."""
    other = make(tmp_path / "other", "ga", 7)
    front = Front.from_json(other / FRONT_FILE)
    worse = replace(front.references[0], test=0.38)
    replace(front, references=(worse, *front.references[1:])).to_json(other / FRONT_FILE)
    found = read_runs([folders[0], other])
    ensemble = ensemble_cost(front)
    assert found.over_floor == ReferencePoint(ensemble, 0.3)
    assert found.over_worst == ReferencePoint(ensemble, 0.38)
    assert "count over the least accuracy" in found.notes[-1]


def test_samples_that_differ_are_named(folders: list[Path], tmp_path: Path) -> None:
    other = make(tmp_path / "other", "ga", 7)
    alter(other, samples={"validation": "e" * 32})
    with pytest.raises(DataError, match=r"of another task than .*: the validation samples differ"):
        read_runs([folders[0], other])


def test_networks_that_differ_are_named(folders: list[Path], tmp_path: Path) -> None:
    other = make(tmp_path / "other", "ga", 7)
    path = other / "supernet" / "networks" / "0" / "graph.json"
    path.write_text(json.dumps(json.loads(path.read_text())))
    alter(other, networks=network_digests(other, ("wide", "deep")))
    with pytest.raises(DataError, match="the network 'wide' differs;"):
        read_runs([folders[0], other])


def test_runs_of_more_networks_are_of_another_task(folders: list[Path], tmp_path: Path) -> None:
    other = make(tmp_path / "other", "ga", 7)
    networks = other / "supernet" / "networks"
    shutil.copytree(networks / "0", networks / "2")
    alter(other, networks=network_digests(other, ("wide", "deep", "flat")))
    with pytest.raises(DataError, match="its networks are wide, deep and flat, not wide and deep;"):
        read_runs([folders[0], other])


def test_one_run_and_the_same_twice(folders: list[Path]) -> None:
    with pytest.raises(DataError, match="give two or more"):
        read_runs(folders[:1])
    with pytest.raises(DataError, match="was given twice"):
        read_runs([folders[0], folders[1], folders[0]])


def test_a_run_that_evaluated_nothing(folders: list[Path], tmp_path: Path) -> None:
    generate(tmp_path / "empty", 0, done=False)
    with pytest.raises(DataError, match="has evaluated nothing yet"):
        read_runs([folders[0], tmp_path / "empty"])


def test_a_run_that_was_stopped_counts_and_is_told(folders: list[Path], tmp_path: Path) -> None:
    generate(tmp_path / "stopped", 200, done=False)
    found = read_runs([folders[0], tmp_path / "stopped"])
    assert "is not done: it counts as far as it is" in found.notes[0]
    assert found.parts == ("validation",)
    _, row = csv.DictReader(runs_table(found).splitlines())
    ending = [row[key] for key in ("skipped", "unchanged", "stopped", "seconds")]
    assert ending == [""] * 4


def test_stitches_in_use_are_means_over_the_runs_that_evaluated_something(tmp_path: Path) -> None:
    """A moment in which nothing new was evaluated has no mean; the shortest run ends the lines."""
    tables = {
        "one": ["2,2,0,0,1,6,4", "4,2,2,1,2,0,0", "6,4,2,1,3,10,2"],
        "two": ["2,2,0,0,1,8,2", "4,4,0,0,2,9,3"],
    }
    for name, rows in tables.items():
        generate(tmp_path / name, 200)
        header = "used,evaluated,skipped,unchanged,elapsed,nonzero,active"
        (tmp_path / name / HISTORY_FILE).write_text("\n".join([header, *rows]) + "\n")
    potential, active = group_stitches_chart(read_runs([tmp_path / "one", tmp_path / "two"])).series
    assert (potential.name, potential.emphasis) == ("all runs, may be used", "dotted")
    assert (active.name, active.emphasis) == ("all runs, are used", "plain")
    assert potential.x == active.x == [1, 2, 3, 4]
    assert potential.y == [7, 7, 9, 9]
    assert active.y == [3, 3, 3, 3]


def test_surfaces_of_any_and_every_run_bound_that_of_half(tmp_path: Path) -> None:
    folders = [tmp_path / str(seed) for seed in range(3)]
    for seed, folder in enumerate(folders):
        generate(folder, 400, seed=seed)
    comparison = read_runs(folders)
    chart = attainment_chart(comparison, "test")
    half, best, worst = (
        next(one for one in chart.series if one.name == name)
        for name in ("all runs (3 runs)", "all runs, any run", "all runs, every run")
    )
    assert (half.emphasis, best.emphasis, worst.emphasis) == ("plain", "dotted", "dotted")
    fronts = [places_of(run.front.points, "test") for run in comparison.groups[0].runs]
    for cost in sorted({cost for front in fronts for cost, _ in front}):
        reached = sorted(max([a for c, a in front if c <= cost], default=-1) for front in fronts)
        for surface, expected in ((worst, reached[0]), (half, reached[1]), (best, reached[2])):
            found = [y for x, y in zip(surface.x, surface.y, strict=True) if x <= cost]
            assert max(found, default=-1) == pytest.approx(expected)

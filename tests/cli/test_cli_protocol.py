"""A protocol: one supernet, a sweep, seeds, and going on where it was stopped."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from cli_examples import Caller
from PIL import Image

from netstitch.errors import SearchError
from netstitch.records.run_folder import SUPERNET
from netstitch.runs import experiment_protocol
from netstitch.runs import protocol as module

TABLE = '\n[protocol]\nalgorithms = ["ga", "random"]\nseeds = 2\n'


def asked(experiment: Path, table: str = TABLE, evaluations: int = 20) -> Path:
    text = experiment.read_text().replace("evaluations = 60", f"evaluations = {evaluations}")
    experiment.write_text(text + table)
    return experiment


def test_algorithms_run_on_one_supernet_and_are_compared(
    experiment: Path, netstitch: Caller
) -> None:
    called = netstitch("protocol", asked(experiment), "--no-sweep", "-o", "out")
    assert called.code == 0, called.err
    folder = Path("out")
    rows = list(csv.DictReader((folder / "runs.csv").read_text().splitlines()))
    assert [(row["algorithm"], row["seed"]) for row in rows] == [
        ("ga", "1"), ("ga", "2"), ("random", "1"), ("random", "2"),
    ]  # fmt: skip
    for part in ("validation", "test"):
        for row in rows:
            assert 0 < float(row[f"{part}_over_worst"]) <= float(row[part]) < 1.1
            assert float(row[part]) <= float(row[f"{part}_with_cascades"]) < 1.1
            assert float(row[f"{part}_plain_cascades_over_worst"]) > 0
            assert float(row[f"{part}_plain_cascades"]) < 1.1
    assert "plain cascades" in called.out
    assert "best" in called.out
    files = sorted((folder / "prepared" / SUPERNET).rglob("*.safetensors"))
    assert files
    for file in files:
        assert file.stat().st_nlink == 5  # one on the disk, for four runs
    fronts = [json.loads((folder / f"ga-{seed}" / "front.json").read_text()) for seed in (1, 2)]
    assert fronts[0]["references"] == fronts[1]["references"]
    assert Image.open(folder / "fronts.png").size[0] > 1000
    compared = list(csv.DictReader((folder / "compared" / "runs.csv").read_text().splitlines()))
    assert [row["hypervolume_test"] for row in compared] == [row["test"] for row in rows]
    assert "compared/compare.html" in called.out
    assert ">ga<" in (folder / "compared" / "compare.html").read_text()
    assert {path.suffix for path in (folder / "compared").iterdir()} >= {".tex", ".md", ".pdf"}


@pytest.mark.parametrize("change", [{"protocol": []}, {"config": "x"}, {"format": 1}])
def test_a_damaged_protocol_is_named(
    experiment: Path, netstitch: Caller, change: dict[str, Any]
) -> None:
    document = {"format": module.FORMAT, "protocol": {}, "config": {}} | change
    Path("out").mkdir()
    Path("out/protocol.json").write_text(json.dumps(document))
    called = netstitch("protocol", asked(experiment), "--no-sweep", "-o", "out")
    assert called.code == 2
    assert "out/protocol.json " in called.error


def test_a_sweep_finds_the_population_of_each_algorithm(
    experiment: Path, netstitch: Caller
) -> None:
    table = '\n[protocol]\nalgorithms = ["random"]\nseeds = 1\n'
    called = netstitch("protocol", asked(experiment, table, 260), "-o", "out")
    assert called.code == 0, called.err
    swept = json.loads(Path("out/random-sweep/run.json").read_text())["outcome"]["sweep"]
    assert [one["population"] for one in swept] == [128, 256]
    (row,) = csv.DictReader(Path("out/runs.csv").read_text().splitlines())
    best = max(swept, key=lambda one: one["hypervolume"])
    assert int(row["population"]) == best["population"]
    # A sweep chooses a size, and no cascade.
    fronts = [json.loads(Path(f"out/random-{of}/front.json").read_text()) for of in ("sweep", 1)]
    assert [bool(front["cascades"]) for front in fronts] == [False, True]


def test_an_algorithm_without_a_population_is_not_swept(
    experiment: Path, netstitch: Caller
) -> None:
    table = '\n[protocol]\nalgorithms = ["surrogate"]\nseeds = 1\n'
    called = netstitch("protocol", asked(experiment, table), "-o", "out")
    assert called.code == 0, called.err
    assert not Path("out/surrogate-sweep").exists()
    assert Path("out/surrogate-1/front.json").exists()


def test_no_run_is_the_winner_of_the_sweep(experiment: Path, netstitch: Caller) -> None:
    table = '\n[protocol]\nalgorithms = ["random"]\nseeds = 2\n'
    called = netstitch("protocol", asked(experiment, table, 130), "-o", "out")
    assert called.code == 0, called.err
    rows = csv.DictReader(Path("out/runs.csv").read_text().splitlines())
    assert [row["seed"] for row in rows] == ["1", "2"]
    seeds = {
        name: json.loads(Path(f"out/random-{name}/run.json").read_text())["config"]["seed"]
        for name in ("sweep", "1", "2")
    }
    assert seeds == {"sweep": 1_000_001, "1": 1, "2": 2}
    fronts = {
        name: json.loads(Path(f"out/random-{name}/front.json").read_text())["points"]
        for name in ("sweep", "1", "2")
    }
    assert fronts["sweep"] not in (fronts["1"], fronts["2"])
    with pytest.raises(SearchError, match="seed 2 is that of the sweeps and of a run"):
        module.Protocol({"random": None}, (1, 2), sweep_seed=2)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_seed_of_the_sweep_does_not_depend_on_the_number_of_runs(
    experiment: Path, netstitch: Caller, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Else the sixth run would begin as the sweep of five did, of which it is to be no part."""
    text = asked(experiment, '\n[protocol]\nalgorithms = ["random"]\n', 130).read_text()
    experiment.write_text(text.replace("seed = 1", f"seed = {seed}"))
    found: list[module.Protocol] = []

    def stopped(protocol: module.Protocol, *_: Any, **__: Any) -> None:
        found.append(protocol)
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment_protocol, "carry_out_protocol", stopped)
    for count in (1, 5, 500):
        assert netstitch("protocol", experiment, "--seeds", count, "-o", "out").code == 130
    assert [len(one.seeds) for one in found] == [1, 5, 500]
    assert [one.seeds[0] for one in found] == [seed] * 3
    assert len({one.sweep_seed for one in found}) == 1


def test_a_protocol_whose_sweep_has_the_seed_of_a_run_is_not_gone_on_with(
    experiment: Path, netstitch: Caller
) -> None:
    old = {"format": "netstitch-protocol-2", "protocol": {"seeds": [1, 2]}, "config": {}}
    Path("out").mkdir()
    Path("out/protocol.json").write_text(json.dumps(old))
    called = netstitch("protocol", asked(experiment), "--no-sweep", "-o", "out")
    assert called.code == 2
    assert "out/protocol.json" in called.error
    assert "netstitch-protocol-2" in called.error


def test_a_stopped_protocol_goes_on(
    experiment: Path, netstitch: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(experiment)
    original, count = module.resume, 0

    def interrupted(*args: Any, **settings: Any) -> Any:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return original(*args, **settings)

    monkeypatch.setattr(module, "resume", interrupted)
    stopped = netstitch("protocol", experiment, "--no-sweep", "-o", "out")
    assert stopped.code == 130
    assert f"to go on: netstitch protocol {experiment} --no-sweep -o out" in stopped.out
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("front.json")}
    assert len(before) == 2
    called = netstitch("protocol", experiment, "--no-sweep", "-o", "out")
    assert called.code == 0, called.err
    assert count == 5
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    assert len(list(csv.DictReader(Path("out/runs.csv").read_text().splitlines()))) == 4
    assert Path("out/compared/compare.html").exists()
    assert netstitch("protocol", experiment, "--no-sweep", "-o", "out").code == 0
    assert count == 5  # nothing is left to run


def test_bad_input_is_one_line(experiment: Path, netstitch: Caller) -> None:
    table = '\n[protocol]\nalgorithms = ["genetic"]\n'
    called = netstitch("protocol", asked(experiment, table), "-o", "out")
    assert called.code == 2
    assert "'algorithms' in [protocol]" in called.error
    experiment.write_text(experiment.read_text().replace(table, TABLE))
    assert (
        "a sweep of population sizes begins with 128"
        in netstitch("protocol", experiment, "-o", "out").error
    )
    assert "0 runs" in netstitch("protocol", experiment, "--no-sweep", "--seeds", 0).error
    Path("other").mkdir()
    Path("other/file").touch()
    other = netstitch("protocol", experiment, "--no-sweep", "-o", "other")
    assert "exists and is not empty" in other.error
    assert not Path("out").exists()
    assert netstitch("protocol", experiment, "--no-sweep", "--seeds", 1, "-o", "out").code == 0
    again = netstitch("protocol", experiment, "--no-sweep", "--seeds", 2, "-o", "out")
    assert "is of a protocol that asked for something else" in again.error


def test_what_may_change_between_calls_and_what_may_not(
    experiment: Path, netstitch: Caller
) -> None:
    """The spread of evaluations may differ between compared runs, budgets may not."""
    file = asked(experiment, '\n[protocol]\nalgorithms = ["random"]\nseeds = 1\n')
    assert netstitch("protocol", file, "--no-sweep", "-o", "out").code == 0
    again = netstitch("protocol", file, "--no-sweep", "-o", "out", "--executor", "processes")
    assert again.code == 0, again.err
    called = netstitch("protocol", file, "--no-sweep", "-o", "out", "--evaluations", 40)
    assert called.code == 2
    assert "asked for something else: search.evaluations is not as it was" in called.error

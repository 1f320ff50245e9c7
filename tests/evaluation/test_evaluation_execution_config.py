"""The abilities of a machine, and the defaults that follow from them."""

from typing import Any

import pytest

from netstitch.errors import SearchError
from netstitch.evaluation import ExecutionConfig
from netstitch.evaluation import execution_config as module


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"executor": "process"}, "did you mean 'processes'. expected 'processes', 'serial' or"),
        ({"device": ()}, "expected a device of PyTorch or more"),
        ({"device": "gpu"}, "device is 'gpu'; expected a device of PyTorch"),
        ({"in_flight": -1}, "in_flight is -1; expected 0 or more"),
        ({"threads": -1}, "threads is -1; expected 0 or more"),
        ({"timeout": 0.0}, "expected more than 0"),
        ({"precision": "half"}, "precision is 'half'; .*expected 'float32', 'bfloat16' or 'float"),
        ({"early": "likely"}, "early is 'likely'; it was removed, .*: give 'certain'"),
        ({"error": 0.01}, "error was of early = 'likely', which was removed: leave it out"),
    ],
)
def test_what_no_machine_can_do(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=message) as caught:
        ExecutionConfig(**settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"workers": 1000}, "1000 workers were asked and there are"),
        ({"executor": "serial", "workers": 2}, "give the executor 'processes'"),
        ({"executor": "serial", "device": ("cpu", "cpu")}, "give the executor 'processes'"),
        ({"workers": 2, "in_flight": 1}, "2 workers cannot all work at 1 evaluations"),
        ({"device": "cuda:99"}, "'cuda:99'"),
        ({"address": "auto"}, "give the executor 'ray'"),
        (
            {"executor": "ray", "workers": 3, "in_flight": 1},
            "3 workers cannot all work at 1 evaluations",
        ),
        ({"executor": "ray", "device": ("cuda:0", "cuda:1")}, "give one, 'cpu' or 'cuda'"),
    ],
)
def test_what_this_machine_cannot_do(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=message) as caught:
        ExecutionConfig(**settings).check()
    assert "\n" not in str(caught.value)


def test_how_many_work_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available_cores", lambda: 8)
    serial = ExecutionConfig(executor="serial", in_flight=1)
    assert (serial.processes, serial.side_by_side) == (1, 8)
    many = ExecutionConfig(in_flight=64)
    assert (many.processes, many.side_by_side, many.together) == (8, 1, 4)
    assert many.changed(threads=3).processes == 2
    assert many.changed(threads=30).processes == 1
    assert (many.changed(in_flight=3).processes, many.changed(in_flight=3).together) == (3, 1)
    two = many.changed(device=("cuda:0", "cuda:1"))
    assert (two.processes, two.side_by_side, two.together) == (2, 1, 16)
    assert serial.changed(in_flight=16).together == 8
    assert serial.changed(device="cuda").side_by_side == 1


def test_as_many_are_under_way_as_there_are_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a number of evaluations, workers decide, and each takes what it runs side by side."""
    monkeypatch.setattr(module, "available_cores", lambda: 8)
    many = ExecutionConfig(in_flight=0)
    many.check()
    assert (many.processes, many.together) == (8, 1)
    assert (many.changed(threads=3).processes, many.changed(threads=3).together) == (2, 3)
    five = many.changed(workers=5)
    five.check()
    assert (five.processes, five.together) == (5, 1)
    assert many.changed(device=("cuda:0", "cuda:1")).processes == 2
    serial = many.changed(executor="serial")
    assert (serial.processes, serial.together) == (1, 8)
    cluster = many.changed(executor="ray", address="10.0.0.1:6379")
    assert cluster.in_cluster is None  # it has as many as there is room for
    assert cluster.changed(workers=4).in_cluster == 4
    assert cluster.changed(in_flight=16).in_cluster == 8
    assert many.changed(executor="ray").in_cluster == 8  # a cluster of this machine

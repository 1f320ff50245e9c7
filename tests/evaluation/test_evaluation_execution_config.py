"""What a machine can do, and what it does where nothing is said."""

from dataclasses import replace

import pytest

from netstitch.errors import SearchError
from netstitch.evaluation import ExecutionConfig
from netstitch.evaluation import execution_config as module


@pytest.mark.parametrize(
    "spread, message",
    [
        (ExecutionConfig("process"), "'process' is not known: give 'serial', 'processes', 'ray'"),  # type: ignore[arg-type]
        (ExecutionConfig("processes", workers=1000), "1000 workers were asked and there are"),
        (ExecutionConfig(workers=2), "give the executor 'processes'"),
        (ExecutionConfig(devices=("cpu", "cpu")), "give the executor 'processes'"),
        (ExecutionConfig(devices=()), "at least 1 device"),
        (ExecutionConfig(in_flight=0), "0 evaluations in flight"),
        (ExecutionConfig("processes", workers=2), "2 workers cannot all work at 1 evaluations"),
        (ExecutionConfig(threads=-1), "0 or more workers and threads"),
        (ExecutionConfig(devices=("cuda:99",)), "'cuda:99'"),
        (ExecutionConfig(timeout=0.0), "more than 0"),
        (
            ExecutionConfig(precision="half"),
            "'half' is not known: give 'float32', 'bfloat16', 'float16'",
        ),  # type: ignore[arg-type]
        (ExecutionConfig(address="auto"), "give the executor 'ray'"),
        (ExecutionConfig("ray", workers=3), "3 workers cannot all work at 1 evaluations"),
        (ExecutionConfig("ray", devices=("cuda:0", "cuda:1")), "give one, 'cpu' or 'cuda'"),
    ],
)
def test_what_this_machine_cannot_do(spread: ExecutionConfig, message: str) -> None:
    with pytest.raises(SearchError, match=message) as caught:
        spread.check()
    assert "\n" not in str(caught.value)


def test_how_many_work_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available_cores", lambda: 8)
    assert (ExecutionConfig().processes, ExecutionConfig().side_by_side) == (1, 8)
    many = ExecutionConfig("processes", in_flight=64)
    assert (many.processes, many.side_by_side, many.together) == (8, 1, 4)
    assert replace(many, threads=3).processes == 2
    assert replace(many, threads=30).processes == 1
    assert (replace(many, in_flight=3).processes, replace(many, in_flight=3).together) == (3, 1)
    two = replace(many, devices=("cuda:0", "cuda:1"))
    assert (two.processes, two.side_by_side, two.together) == (2, 1, 16)
    assert ExecutionConfig(in_flight=16).together == 8
    assert ExecutionConfig(devices=("cuda",)).side_by_side == 1

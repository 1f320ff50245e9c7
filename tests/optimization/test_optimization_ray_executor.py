"""Workers replaced by Ray; the genotype says what happens to its worker, see `eventful`.

All that need Ray share a cluster of two nodes on this machine, each worker of pytest its own.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optimization_cases import accuracy_and_macs, lotz, results, searched
from worker_cases import (
    EXITS,
    HANGS,
    INTERRUPTED,
    KILLED,
    LEAVES,
    RAISES,
    Fragile,
    eventful,
    kills,
    slowly,
)

from netstitch.errors import SearchError
from netstitch.optimization import (
    Completed,
    Evaluation,
    Genotype,
    RayExecutor,
    SearchSettings,
    SerialExecutor,
    run_search,
)
from netstitch.optimization.executors import ray_connection as connection
from netstitch.optimization.executors.attempts import BatchEvaluation, Thresholds
from netstitch.optimization.executors.ray_connection import connect, room

HERE = Path(__file__).parent
NODE = {"object_store_memory": 80 * 2**20, "include_dashboard": False}


def sees_gpus(genotype: Genotype) -> tuple[float, ...]:
    return tuple(float(each) for each in os.environ["CUDA_VISIBLE_DEVICES"].split(","))


class Weighty(BatchEvaluation):
    """Carries an array, and evaluates several genotypes together."""

    def __init__(self) -> None:
        self.weights = np.arange(1_000_000)

    def __call__(self, genotype: Genotype) -> tuple[float, ...]:
        return (float(self.weights[genotype].sum()), 1.0, float(self.weights.flags.owndata))

    def together(
        self, genotypes: list[Genotype], thresholds: Thresholds
    ) -> list[tuple[float, ...] | Exception]:
        assert not any(genotype.flags.writeable for genotype in genotypes)
        return [
            ValueError("not this one")
            if genotype[0] == RAISES
            else (float(self.weights[genotype].sum()), float(len(genotypes)))
            for genotype in genotypes
        ]


def dies_with_company(folder: Path, genotype: Genotype) -> tuple[float, ...]:
    """Fatal for the worker when it is the first time for the genotype."""
    mark = folder / str(genotype[0])
    if not mark.exists():
        mark.touch()
        os._exit(1)
    return (float(genotype[0]),)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes with room for a worker each, to which this process is connected."""
    import ray
    from ray.cluster_utils import Cluster

    folder = Path(tempfile.mkdtemp(prefix="ns", dir="/tmp"))  # sockets want a short path
    (folder / "ray").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", str(folder))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
        nodes = Cluster()
        try:
            nodes.add_node(num_cpus=1, temp_dir=str(folder), **NODE)
            nodes.add_node(num_cpus=1, num_gpus=1, **NODE)  # Ray believes it
            joined = connect(nodes.address, 1)
            yield nodes
            joined.close()
        finally:
            nodes.shutdown()
            shutil.rmtree(folder, ignore_errors=True)
    assert not ray.is_initialized()


@contextmanager
def workers(
    evaluate: Callable[[Genotype], tuple[float, ...]], count: int | None = 2, **settings: Any
) -> Iterator[RayExecutor]:
    executor = RayExecutor(evaluate, count, **settings)
    try:
        yield executor
    finally:
        executor.close()


def process_of(worker: str) -> int:
    return int(worker.split()[-1])


def ended(process: int, seconds: float = 10.0) -> bool:
    last = time.monotonic() + seconds
    while Path(f"/proc/{process}/cwd").exists() and time.monotonic() < last:
        time.sleep(0.01)
    return not Path(f"/proc/{process}/cwd").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("algorithm", ["ga", "gomea"])
def test_one_worker_is_a_serial_executor(algorithm: str) -> None:
    expected = searched(algorithm, SerialExecutor(accuracy_and_macs))
    with workers(accuracy_and_macs, 1) as executor:
        found = searched(algorithm, executor)
    assert [each.signature for each in found] == [each.signature for each in expected]
    assert [each.objectives for each in found] == [each.objectives for each in expected]


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_random_genotypes_give_what_they_give_elsewhere() -> None:
    generator = np.random.default_rng(3)
    genotypes = [generator.integers(0, 300, 40) for _ in range(50)]
    serial = SerialExecutor(accuracy_and_macs, capacity=50)
    found: dict[int, Completed] = {}
    with workers(accuracy_and_macs, capacity=50, group=4) as executor:
        for ticket, genotype in enumerate(genotypes):
            executor.submit(ticket, genotype)
            serial.submit(ticket, genotype)
        while done := executor.wait():
            assert not found.keys() & {each.ticket for each in done}
            found |= {each.ticket: each for each in done}
        assert executor.busy() == pytest.approx(sum(each.seconds for each in found.values()))
    for ticket in range(50):
        (expected,) = serial.wait()
        assert found[ticket].objectives == expected.objectives
    assert {each.worker.split()[0] for each in found.values()} == {socket.gethostname()}


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_group_is_evaluated_together_and_shares_its_arrays_and_seconds() -> None:
    with workers(Weighty(), 1, group=3) as executor:
        done = results(executor, 5, RAISES, 7)
        alone = results(executor, 9)[9].objectives
    assert done[5].objectives == (5.0, 3.0)
    assert done[7].objectives == (7.0, 3.0)
    assert done[RAISES].failure == "ValueError: not this one"
    assert len({each.seconds for each in done.values()}) == 1
    assert alone == (9.0, 1.0, 0.0)  # its array is the store's own, no copy


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_what_fails_and_what_dies_is_blamed_on_its_evaluation_alone() -> None:
    with workers(eventful, capacity=8) as executor:
        done = results(executor, 1, KILLED, RAISES, LEAVES, INTERRUPTED, EXITS, 3, 4)
    death = "a worker died twice in this evaluation (its process died)"
    assert done[KILLED].failure == done[EXITS].failure == death
    assert done[RAISES].failure == "ValueError: shapes differ"
    assert done[LEAVES].failure == "SystemExit: enough"
    assert all(done[value].objectives == (value,) for value in (1, INTERRUPTED, 3, 4))
    assert all(each.worker.startswith(socket.gethostname()) for each in done.values())


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_those_that_died_together_are_tried_again_each_alone(tmp_path: Path) -> None:
    with workers(partial(dies_with_company, tmp_path), 1, group=3) as executor:
        executor.submit(0, np.array([1]))
        executor.submit(1, np.array([1]))
        done = [each for _ in range(2) for each in executor.wait()]
        assert [each.objectives for each in done] == [(1.0,), (1.0,)]


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_worker_that_hangs_is_given_up() -> None:
    with workers(eventful, timeout=0.5, capacity=3) as executor:
        done = results(executor, 1, HANGS, 2)
        assert executor.busy() > 1.0
    reason = "a worker died twice in this evaluation (no answer in time)"
    assert done[HANGS].failure == reason
    assert done[1].objectives == (1.0,)
    assert done[2].objectives == (2.0,)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_worker_that_died_with_nothing_to_do_loses_nothing() -> None:
    with workers(eventful, 1) as executor:
        process = process_of(results(executor, 1)[1].worker)
        os.kill(process, signal.SIGKILL)
        assert ended(process)
        assert results(executor, 2)[2].objectives == (2.0,)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_cancelling_kills_what_is_under_way_and_new_workers_are_started() -> None:
    with workers(eventful, 1, capacity=2) as executor:
        process = process_of(results(executor, 1)[1].worker)
        executor.submit(0, np.array([HANGS]))
        executor.submit(1, np.array([1]))
        before = executor.busy()
        time.sleep(0.01)
        assert executor.busy() > before
        executor.cancel()
        assert ended(process)
        assert executor.busy() == executor.busy() > before
        assert executor.wait() == []
        assert results(executor, 7)[7].objectives == (7.0,)
        executor.close()
        assert results(executor, 8)[8].objectives == (8.0,)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_until_a_moment_results_are_waited_for() -> None:
    with workers(eventful, 1, capacity=2) as executor:
        results(executor, 1)
        executor.submit(0, np.array([HANGS]))
        assert executor.wait_until(executor.now() + 0.01) == []
        executor.cancel()
        executor.submit(1, np.array([1]))
        assert [one.ticket for one in executor.wait_until(executor.now() + 60)] == [1]


@pytest.mark.slow
def test_a_search_loses_nothing_with_a_worker_and_a_node(cluster: Any) -> None:
    node = cluster.add_node(num_cpus=2, **NODE)
    cluster.wait_for_nodes()
    found: list[Evaluation] = []

    def disturb(evaluation: Evaluation) -> None:
        found.append(evaluation)
        if len(found) == 20:
            os.kill(process_of(evaluation.worker), signal.SIGKILL)
        if len(found) == 120:  # which is seconds later
            cluster.remove_node(node)

    with workers(slowly, 4, capacity=16) as executor:
        result = run_search(
            lotz(20),
            executor,
            SearchSettings(evaluations=200, population=16),
            seed=3,
            on_evaluation=disturb,
        )
        assert result.used == 200
        assert result.failed == 0
        assert len({each.signature for each in found}) == len(found) == result.evaluated > 120
        for each in found:
            assert each.objectives == accuracy_and_macs(each.genotype)
        last = {each.worker for each in found[-20:]}
        assert len(last) <= 2 < len({each.worker for each in found})

        cluster.add_node(num_cpus=2, **NODE)  # of which those use that had no room left
        after: set[str] = set()
        until = time.monotonic() + 60
        ticket = 10_000
        while not after - last and time.monotonic() < until:
            executor.submit(ticket, np.zeros(20, dtype=np.int64))
            after |= {each.worker for each in executor.wait()}
            ticket += 1
        assert after - last


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_an_evaluation_that_workers_cannot_load() -> None:
    with (
        workers(Fragile(int, "three")) as executor,
        pytest.raises(SearchError, match=r"cannot be loaded .*'three'.* on every node") as caught,
    ):
        results(executor, 1, 2)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_an_evaluation_that_cannot_be_sent() -> None:
    with (
        pytest.raises(SearchError, match="cannot be sent to Ray workers") as caught,
    ):
        RayExecutor(partial(kills, threading.Lock()), 1)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_workers_that_die_before_they_evaluate() -> None:
    with (
        workers(Fragile(os._exit, 3), 1) as executor,
        pytest.raises(SearchError, match="die before they evaluate anything"),
    ):
        results(executor, 1)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_more_workers_or_gpus_than_there_are() -> None:
    with pytest.raises(SearchError, match=r"99 workers are asked for.* room for"):
        RayExecutor(eventful, 99)
    with pytest.raises(
        SearchError, match=r"2 workers are asked for with 0\.5 GPUs each.* room for 1 "
    ):
        RayExecutor(eventful, 2, gpus_per_worker=0.5)


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_without_a_number_there_are_as_many_workers_as_there_is_room_for() -> None:
    import ray

    most = room([node["Resources"] for node in ray.nodes() if node["Alive"]], 0)
    with workers(eventful, None, group=2) as executor:
        assert (executor.workers, executor.capacity) == (most, 2 * most)
        assert results(executor, 1, 2)[2].objectives == (2.0,)
    with workers(sees_gpus, None, gpus_per_worker=0.5) as executor:
        assert executor.workers == 1


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_a_worker_sees_the_gpu_that_it_has_a_share_of() -> None:
    with workers(sees_gpus, 1, gpus_per_worker=0.25) as executor:
        assert results(executor, 1)[1].objectives == (0.0,)


SCRIPT = """
import os, sys, threading
import numpy as np
from pathlib import Path
from netstitch.optimization import RayExecutor, SearchSettings, run_search
from optimization_cases import accuracy_and_macs, lotz, results, searched
from worker_cases import slowly

def said(progress):
    if progress.evaluated == 8:
        print("under way", flush=True)

executor = RayExecutor(slowly, 2, temporary=Path(sys.argv[1]))
try:
    settings = SearchSettings(evaluations=100_000, population=8)
    result = run_search(lotz(20), executor, settings, on_progress=said)
finally:
    executor.close()
print(result.stopped, result.evaluated > 0, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_cluster_of_our_own_ends_with_its_search(how: signal.Signals) -> None:
    folder = Path(tempfile.mkdtemp(prefix="ns", dir="/tmp"))
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    script = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        assert script.stdout is not None
        assert script.stdout.readline() == "under way\n"
        if how == signal.SIGINT:
            os.killpg(script.pid, how)  # as the keyboard does, to all processes of a terminal
        else:
            script.kill()
        out, errors = script.communicate(timeout=60)
        assert (out, errors) == ("interrupted True\n" if how == signal.SIGINT else "", "")
        until = time.monotonic() + 30
        while processes_with(str(folder)) and time.monotonic() < until:
            time.sleep(0.1)
        assert processes_with(str(folder)) == []
    finally:
        script.kill()
        script.wait()
        shutil.rmtree(folder, ignore_errors=True)


def processes_with(text: str) -> list[int]:
    """Processes that were started with a text on their command line."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and text in (folder / "cmdline").read_text():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a program that is not connected to Ray, and where it must not come that far."""
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", None)


@pytest.mark.slow
@pytest.mark.usefixtures("outside")
def test_an_address_that_accepts_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        start = time.monotonic()
        with pytest.raises(SearchError, match=f"no Ray cluster answers at {address}") as caught:
            RayExecutor(eventful, 1, address=address)
        assert time.monotonic() - start < 30
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("outside")
def test_an_address_at_which_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(SearchError, match=f"answers at {address} .*refused.*ray start") as caught:
        RayExecutor(eventful, 1, address=address)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("address", ["", "head", ":6379", "ray://head:10001", "head:port"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(SearchError, match="give HOST:PORT"):
        RayExecutor(eventful, 1, address=address)


@pytest.mark.usefixtures("outside")
def test_what_can_be_said_of_the_temporary_folder(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="at most 43: give a shorter one"):
        RayExecutor(eventful, 1, temporary=tmp_path / ("a" * 44))
    with (
        tempfile.NamedTemporaryFile(prefix="ns", dir="/tmp") as file,
        pytest.raises(SearchError, match="cannot be made"),
    ):
        RayExecutor(eventful, 1, temporary=Path(file.name, "ray"))
    with pytest.raises(SearchError, match="only for a cluster of our own"):
        RayExecutor(eventful, 1, address="head:6379", temporary=tmp_path)


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SearchError, match=r"Ray is not installed: pip install 'netstitch\[ray\]'"):
        RayExecutor(eventful, 1)


@pytest.mark.parametrize(
    "count, settings",
    [(0, {}), (4, {"capacity": 3}), (1, {"group": 0}), (2, {"timeout": 0.0})],
)
def test_numbers_that_are_too_small(count: int, settings: Mapping[str, Any]) -> None:
    with pytest.raises(SearchError, match=r"give at least 1 worker|give more than 0"):
        RayExecutor(eventful, count, **settings)


@pytest.mark.parametrize("share", [-1.0, 1.5, float("nan")])
def test_a_share_of_gpus_that_cannot_be_had(share: float) -> None:
    with pytest.raises(SearchError, match="give a fraction of one, or a whole number"):
        RayExecutor(eventful, 1, gpus_per_worker=share)


@pytest.mark.parametrize(
    "nodes, share, expected",
    [
        ([], 0, 0),
        ([{"CPU": 4.0}, {"CPU": 2.0, "GPU": 1.0}], 0, 6),
        ([{"CPU": 4.0}, {"CPU": 2.0, "GPU": 1.0}], 1, 1),
        ([{"CPU": 32.0, "GPU": 3.0}] * 5, 1, 15),
        ([{"CPU": 32.0, "GPU": 3.0}] * 5, 1 / 6, 90),
        ([{"CPU": 32.0, "GPU": 3.0}] * 5, 0.4, 30),
        ([{"CPU": 32.0, "GPU": 3.0}] * 5, 2, 5),
        ([{"CPU": 2.0, "GPU": 3.0}, {"GPU": 8.0}], 0.5, 2),
    ],
)
def test_room(nodes: list[dict[str, float]], share: float, expected: int) -> None:
    assert room(nodes, share) == expected


def test_limits_leave_30_seconds() -> None:
    assert connection.TCP_SECONDS + connection.PROBE_SECONDS < 30

"""A connection to a Ray cluster: one that is there, or one of our own on this machine.

Ray tries for minutes to reach an address at which nothing answers, and prints while it does. So
whether a cluster answers is tried first, in a process that can be ended.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import floor, inf
from pathlib import Path
from typing import Any

from netstitch.errors import SearchError
from netstitch.text import one_line

TCP_SECONDS, PROBE_SECONDS = 4.0, 24.0
"""Seconds that an address may take to accept a connection, and then its cluster to let us in."""

LONGEST_TEMPORARY = 107 - len("/session_2000-01-01_00-00-00_000000_4194304/sockets/plasma_store")
"""Bytes of a path that leave room for sockets, whose paths systems limit to 107 bytes."""

_PROBE = """
import sys
try:
    import ray
    ray.init(address=sys.argv[1], log_to_driver=False, logging_level="critical")
    ray.shutdown()
except BaseException as error:
    print(" ".join(f"{type(error).__name__}: {error}".split()))
    sys.exit(1)
"""


@dataclass(frozen=True)
class Connection:
    """A connection to a Ray cluster. ours: whether closing it leaves the cluster."""

    ray: Any
    ours: bool

    def close(self) -> None:
        """Leave the cluster, which ends with that if it was started here."""
        if self.ours and self.ray.is_initialized():
            self.ray.shutdown()
            _let_print(True)


def connect(address: str | None, workers: int, *, temporary: Path | None = None) -> Connection:
    """Connect to the cluster at an address, or start one here for so many workers.

    address: HOST:PORT of the head node, "auto" for the one that this machine is part of, or None
        to start one. Where the program is connected to Ray already, that is taken as it is.
    temporary: the folder in which a cluster that is started keeps its logs and sockets.

    Raises SearchError where Ray is not installed, no cluster answers within 30 seconds, or none can
    be started.
    """
    ray = import_ray()
    if ray.is_initialized():
        return Connection(ray, ours=False)
    if address is None:
        settings = {
            "address": "local",
            "num_cpus": workers,
            "include_dashboard": False,
            "_temp_dir": None if temporary is None else _folder(temporary),
        }
    else:
        if temporary is not None:
            raise SearchError(
                f"the Ray cluster at {address} keeps its temporary files where it was told to when "
                "it was started: give a temporary folder only for a cluster of our own"
            )
        _check_answers(address)
        settings = {"address": address}
    _let_print(False)
    try:
        ray.init(log_to_driver=False, logging_level="error", **settings)
    except Exception as error:  # Ray has no common class for what goes wrong here
        _let_print(True)
        reason = one_line(error, kind=True)
        raise SearchError(
            f"Ray cannot be started ({reason}): give a temporary folder that is short and "
            "can be written, and look whether memory and disk are full"
            if address is None
            else _no_answer(address, reason)
        ) from error
    return Connection(ray, ours=True)


def import_ray() -> Any:
    """Return the package, imported in about a second; raise SearchError where it is missing."""
    try:
        import ray
    except ImportError as error:
        raise SearchError("Ray is not installed: pip install 'netstitch[ray]'") from error
    return ray


def check_room(ray: Any, workers: int, gpus_per_worker: float) -> None:
    """Raise SearchError for more workers than the cluster has room for, even if it were idle."""
    resources = nodes(ray)
    most = room(resources, gpus_per_worker)
    if workers <= most:
        return
    asked = "1 worker is" if workers == 1 else f"{workers} workers are"
    each_with = f" with {gpus_per_worker:g} GPUs each" if gpus_per_worker else ""
    cpus, gpus = (sum(each.get(kind, 0) for each in resources) for kind in ("CPU", "GPU"))
    raise SearchError(
        f"{asked} asked for{each_with}, and the Ray cluster has room for {most} ({cpus:g} CPUs and "
        f"{gpus:g} GPUs, nodes: {len(resources)}): ask for fewer workers, or add nodes"
    )


def nodes(ray: Any) -> list[Mapping[str, float]]:
    """Return the resources of each node of the cluster that lives."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def room(resources: Iterable[Mapping[str, float]], gpus_per_worker: float) -> int:
    """Return the number of workers that such nodes hold, each with a CPU and its share of GPUs."""
    return sum(
        min(int(each.get("CPU", 0)), _served(int(each.get("GPU", 0)), gpus_per_worker))
        for each in resources
    )


def _served(gpus: int, share: float) -> int:
    """Return the number of workers that GPUs serve; a share of one is never split over two."""
    if share == 0:
        return sys.maxsize
    if share > 1:
        return int(gpus // share)
    return gpus * floor(1 / share + 1e-9)


def check_share(gpus_per_worker: float) -> None:
    """Raise SearchError where it is neither a share of one GPU nor a number of whole ones."""
    share = gpus_per_worker
    if not 0 <= share < inf or (share > 1 and share != int(share)):
        raise SearchError(
            f"{share:g} GPUs are asked for each worker: give a fraction of one, or a whole number"
        )


def _check_answers(address: str) -> None:
    """Raise SearchError where no Ray cluster answers at an address, within 30 seconds."""
    if address != "auto":
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or "/" in host:
            raise SearchError(
                f"{address!r} is no address of a Ray cluster: give HOST:PORT of its head node, "
                'such as 10.0.0.1:6379, or "auto" on a machine that is part of it'
            )
        try:
            socket.create_connection((host.strip("[]"), int(port)), TCP_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise SearchError(_no_answer(address, one_line(error, kind=True))) from error
    probe = [sys.executable, "-P", "-c", _PROBE, address]  # -P: no modules of the current folder
    try:
        done = subprocess.run(
            probe,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        reason = f"nothing within {PROBE_SECONDS:g} seconds"
        raise SearchError(_no_answer(address, reason)) from error
    if done.returncode:
        raise SearchError(_no_answer(address, done.stdout.strip() or f"exit {done.returncode}"))


def _no_answer(address: str, reason: str) -> str:
    there = "on this machine" if address == "auto" else f"at {address}"
    return (
        f"no Ray cluster answers {there} ({reason}): start one with `ray start --head`, let this "
        "machine join it, or give no address to start one here"
    )


def _folder(temporary: Path) -> str:
    """Return the absolute path of the folder, as Ray wants it; make it where it is not there."""
    folder = temporary.absolute()
    length = len(os.fsencode(folder))
    if length > LONGEST_TEMPORARY:
        raise SearchError(
            f"Ray's temporary folder {folder} has a path of {length} bytes, and sockets in it need "
            f"one of at most {LONGEST_TEMPORARY}: give a shorter one, such as /tmp/ray"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = one_line(error, kind=True)
        raise SearchError(
            f"Ray's temporary folder {folder} cannot be made ({reason}): give another one"
        ) from error
    return str(folder)


def _let_print(may: bool) -> None:
    """Let Ray print what its nodes tell, or not: pages of it when one is lost, with no setting."""
    from ray._private import worker

    if hasattr(worker, "_worker_logs_enabled"):
        worker._worker_logs_enabled = may

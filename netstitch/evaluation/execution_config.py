"""How evaluations are executed: processes, threads, devices, and the numbers they compute with."""

from dataclasses import dataclass
from typing import Literal, get_args

import torch

from netstitch.errors import SearchError
from netstitch.evaluation.early_stopping import EarlyStopSettings
from netstitch.evaluation.numerics import FULL, Precision, check_precision, usable_device
from netstitch.optimization.executors.ray_connection import import_ray
from netstitch.threads import available_cores

Kind = Literal["serial", "processes", "ray"]
Early = Literal["certain", "likely", "never"]
TIMEOUT = 3600.0
ERROR = 1e-3


@dataclass(frozen=True)
class ExecutionConfig:
    """How evaluations are spread over a machine, or many, and in which form they run.

    Attributes:
        kind: "serial", in this process, "processes", or "ray", the machines of a Ray cluster.
        workers: Processes; 0 for as many as have a core for each of their threads, and one for each
            device that is not the CPU. They take devices in turn, so several may share a GPU.
        threads: Batches that each process runs side by side, each on a core; 0 for one in
            processes, and one for each core where there is one process, or one alone where it
            drives a device.
        devices: Names that PyTorch knows.
        in_flight: Evaluations under way; a search proposes as many before it knows their results.
            With more than there are processes, each computes some together, each common tensor
            once.
        ordered: Whether the search is given results in the order in which it asked for them, so
            that it depends on its seed and `in_flight` alone; otherwise as they come.
        early: When evaluations end early: "certain" where the accuracy can no longer get over the
            rejection threshold, which changes nothing of what is found, "likely" where with
            probability `error` at most it would, or "never".
        error: See `early`.
        fused: Whether operations are joined where that is equal up to rounding, such as a batch
            norm with the layer before it.
        precision: Of weights and activations; "bfloat16" and "float16" are for GPUs. What a search
            finds is measured again with each network's own operations.
        batch: Samples that networks are run on together; 0 for what is fastest here.
        timeout: Seconds that an evaluation in a process may take, before it is taken for hung.
        address: Of a Ray cluster, HOST:PORT, or "auto" for the one that this machine is part of;
            None starts one here.
        temporary: Folder for logs and sockets of a Ray cluster that is started; Ray's own by
            default.
        gpus_per_worker: GPUs that each worker of a Ray cluster takes; a fraction lets some share
            one. The device is then "cuda", the one that the worker sees.
    """

    kind: Kind = "serial"
    workers: int = 0
    threads: int = 0
    devices: tuple[str, ...] = ("cpu",)
    in_flight: int = 1
    ordered: bool = True
    early: Early = "certain"
    error: float = ERROR
    fused: bool = True
    precision: Precision = FULL
    batch: int = 0
    timeout: float = TIMEOUT
    address: str | None = None
    temporary: str | None = None
    gpus_per_worker: float = 0.0

    def check(self) -> None:
        """Raise SearchError unless this machine can do it."""
        kinds: tuple[str, ...] = get_args(Kind)
        if self.kind not in kinds:
            known = ", ".join(map(repr, kinds))
            raise SearchError(f"executor {self.kind!r} is not known: give {known}")
        if not self.devices or min(self.workers, self.threads, self.in_flight - 1) < 0:
            raise SearchError(
                f"{self.workers} workers of {self.threads} threads on {len(self.devices)} devices, "
                f"{self.in_flight} evaluations in flight: give 0 or more workers and threads, and "
                "at least 1 device and evaluation"
            )
        if self.early not in get_args(Early) or not 0 < self.error < 1:
            known = ", ".join(map(repr, get_args(Early)))
            raise SearchError(
                f"evaluations that end early: {self.early!r}, with an error of {self.error}: give "
                f"one of {known}, and a probability between 0 and 1"
            )
        if self.precision not in get_args(Precision):
            known = ", ".join(map(repr, get_args(Precision)))
            raise SearchError(f"precision {self.precision!r} is not known: give {known}")
        if self.batch < 0:
            raise SearchError(f"a batch of {self.batch} samples: give 1 or more, or 0 for the best")
        if not self.timeout > 0:
            raise SearchError(f"a timeout of {self.timeout} seconds: give more than 0")
        if self.kind == "ray":
            self._check_ray()
            return
        if self.address or self.temporary or self.gpus_per_worker:
            raise SearchError(
                "an address, a temporary folder and GPUs per worker are of Ray: give the executor "
                "'ray', or none of them"
            )
        for device in self.devices:
            check_precision(usable_device(device), self.precision)
        if self.kind == "serial" and (self.workers > 1 or len(self.devices) > 1):
            raise SearchError(
                f"{self.workers} workers on {len(self.devices)} devices cannot work in one "
                "process: give the executor 'processes', or one device and threads"
            )
        if self.workers > available_cores():
            raise SearchError(
                f"{self.workers} workers were asked and there are {available_cores()} cores: give "
                "at most as many workers, or 0 for as many as fit"
            )
        self._check_in_flight()

    def _check_in_flight(self) -> None:
        if self.kind != "serial" and self.in_flight < self.workers:
            raise SearchError(
                f"{self.workers} workers cannot all work at {self.in_flight} evaluations in "
                "flight: give fewer workers, or as many in flight"
            )

    def _check_ray(self) -> None:
        """Check what is known before the cluster answers; the rest is when evaluations begin."""
        import_ray()
        self._check_in_flight()
        if len(self.devices) > 1:
            raise SearchError(
                "Ray gives each worker its device: give one, 'cpu' or 'cuda', and gpus_per_worker"
            )

    @property
    def stopping(self) -> EarlyStopSettings | None:
        """Settings of evaluations that end early; None where they do not."""
        return {
            "certain": EarlyStopSettings(),
            "likely": EarlyStopSettings(self.error),
            "never": None,
        }[self.early]

    @property
    def here(self) -> torch.device:
        """The device on which this process measures itself.

        Workers of Ray have devices of their own, on machines of which nothing is known here.
        """
        return torch.device("cpu") if self.kind == "ray" else self.places[0]

    @property
    def alone(self) -> int:
        """Batches that this process runs side by side where nothing else evaluates."""
        return available_cores() if self.here.type == "cpu" else 1

    @property
    def places(self) -> tuple[torch.device, ...]:
        """The devices."""
        return tuple(torch.device(device) for device in self.devices)

    @property
    def side_by_side(self) -> int:
        """Batches that a process runs at the same time."""
        if self.threads:
            return self.threads
        return self.alone if self.kind == "serial" else 1

    @property
    def processes(self) -> int:
        """Processes that evaluate at the same time."""
        if self.kind == "serial":
            return 1
        if self.workers:
            return self.workers
        if self.kind == "processes" and any(place.type != "cpu" for place in self.places):
            return min(self.in_flight, len(self.devices))
        return max(1, min(self.in_flight, available_cores() // self.side_by_side))

    @property
    def together(self) -> int:
        """The most genotypes that a process computes together.

        Half of those under way, since the others go on while the results of these are taken in.
        """
        return max(1, self.in_flight // (2 * self.processes))

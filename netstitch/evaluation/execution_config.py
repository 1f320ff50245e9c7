"""On how much of a machine, or of many, evaluations are asked to run."""

from typing import ClassVar, Literal

import torch
from pydantic import Field, field_validator

from netstitch.errors import SearchError
from netstitch.evaluation.numerics import FULL, Precision, usable_device
from netstitch.files.settings import Settings
from netstitch.optimization.executors.ray_connection import import_ray
from netstitch.threads import available_cores

ExecutorName = Literal["processes", "serial", "ray"]
Early = Literal["certain", "never"]


class ExecutionConfig(Settings):
    """Processes, machines and numerical form of evaluations."""

    refusal = SearchError
    removed: ClassVar = {
        ("early", "likely"): "it was removed, since it saved no time: give 'certain'"
    }
    refused: ClassVar = {
        "error": "error was of early = 'likely', which was removed: leave it out, and give "
        "'certain'"
    }

    device: str | tuple[str, ...] = "cpu"
    """A device of PyTorch, or some that workers take in turn: 'cpu', 'cuda', ['cuda:0', 'cuda:1'],
    ...; workers of a Ray cluster have one each, 'cpu' or 'cuda'."""
    executor: ExecutorName = "processes"
    """'processes', workers that share networks and samples, or 'serial', this process alone, or
    'ray', the machines of a Ray cluster."""
    address: str | None = None
    """The address of a Ray cluster, 'HOST:PORT', or 'auto' for the one that this machine is part
    of; by default one is started here."""
    temporary: str | None = None
    """Folder for logs and sockets of a Ray cluster that is started, with a short path; by default
    Ray's own."""
    gpus_per_worker: float = Field(default=0.0, ge=0)
    """GPUs that each worker of a Ray cluster takes, such as 0.5 for two on each."""
    workers: int = Field(default=0, ge=0)
    """Processes; 0 for as many as have a core for each of their threads, or one for each device
    that is not the CPU."""
    threads: int = Field(default=0, ge=0)
    """Batches that each worker runs side by side, each on a core; 0 for one, and for one a core
    where the executor is 'serial'."""
    in_flight: int = Field(default=16, ge=0)
    """Evaluations under way, so many as the search proposes before it knows their results; workers
    compute some of them together, what they have in common once; 0 for as many as there are places,
    what all workers run side by side, when the search begins."""
    order: Literal["asked", "finished"] = "asked"
    """The order in which the search is given results: 'asked', so that it depends on the seed and
    in_flight alone, or as they are 'finished', which keeps workers busy where some evaluations take
    many times longer than others."""
    early: Early = "certain"
    """End evaluations early where the outcome is 'certain', which changes nothing of what is found,
    or 'never'."""
    fused: bool = True
    """Join operations where that is equal up to rounding, such as a batch norm with the layer
    before it; what the search finds is measured again without."""
    precision: Precision = FULL
    """The type of weights and activations in evaluations: 'float32', or 'bfloat16' or 'float16',
    which GPUs run faster; what the search finds is measured again in float32."""
    batch: int = Field(default=0, ge=0)
    """Samples that networks are run on together; 0 for what is fastest here."""
    timeout: float = Field(default=3600.0, gt=0)
    """Seconds after which an evaluation is taken for hung, and tried once more in another
    process."""

    @field_validator("device", mode="before")
    @classmethod
    def _named(cls, device: object) -> object:
        given = [device] if isinstance(device, str) else device
        names = tuple(given) if isinstance(given, list | tuple) else ()
        try:
            known = [torch.device(name) for name in names]
        except (RuntimeError, TypeError):
            known = []
        if not known:
            raise ValueError("expected a device of PyTorch or more, such as 'cpu' or 'cuda:0'")
        return device if isinstance(device, str) else names

    def check(self) -> None:
        """Raise SearchError when this machine cannot do it."""
        if self.executor == "ray":
            import_ray()
            if len(self.devices) > 1:
                raise SearchError(
                    "Ray gives each worker its device: give one, 'cpu' or 'cuda', and "
                    "gpus_per_worker"
                )
        else:
            self._check_here()
        if self.executor != "serial" and 0 < self.in_flight < self.workers:
            raise SearchError(
                f"{self.workers} workers cannot all work at {self.in_flight} evaluations in "
                "flight: give fewer workers, or as many in flight"
            )

    def _check_here(self) -> None:
        if self.address or self.temporary or self.gpus_per_worker:
            raise SearchError(
                "an address, a temporary folder and GPUs per worker are of Ray: give the executor "
                "'ray', or none of them"
            )
        for place in self.devices:
            usable_device(str(place), self.precision)
        if self.executor == "serial" and (self.workers > 1 or len(self.devices) > 1):
            raise SearchError(
                f"{self.workers} workers on {len(self.devices)} devices cannot work in one "
                "process: give the executor 'processes', or one device and threads"
            )
        if self.workers > available_cores():
            raise SearchError(
                f"{self.workers} workers were asked and there are {available_cores()} cores: give "
                "at most as many workers, or 0 for as many as fit"
            )

    @property
    def here(self) -> torch.device:
        """The device on which this process runs what it measures itself.

        Workers of Ray have devices of their own, on machines of which nothing is known here.
        """
        return torch.device("cpu") if self.executor == "ray" else self.devices[0]

    @property
    def alone(self) -> int:
        """Batches that this process runs side by side where nothing else evaluates."""
        return available_cores() if self.here.type == "cpu" else 1

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """The devices, one or more."""
        names = (self.device,) if isinstance(self.device, str) else self.device
        return tuple(map(torch.device, names))

    @property
    def side_by_side(self) -> int:
        """Batches that a process runs at the same time."""
        if self.threads:
            return self.threads
        return self.alone if self.executor == "serial" else 1

    @property
    def processes(self) -> int:
        """The number of processes that evaluate at the same time."""
        if self.executor == "serial":
            return 1
        if self.workers:
            return self.workers
        if self.executor == "processes" and any(place.type != "cpu" for place in self.devices):
            places = len(self.devices)
        else:
            places = max(1, available_cores() // self.side_by_side)
        return min(self.in_flight, places) if self.in_flight else places

    @property
    def in_cluster(self) -> int | None:
        """The workers of a Ray cluster; None for as many as one that is there has room for."""
        if self.address is not None and not self.workers and not self.in_flight:
            return None
        return self.processes

    @property
    def together(self) -> int:
        """The most genotypes that a process computes together.

        Half of those under way, since the others go on while the results of these are taken in; of
        as many as there are places, those that it runs side by side.
        """
        if not self.in_flight:
            return self.side_by_side
        return max(1, self.in_flight // (2 * self.processes))

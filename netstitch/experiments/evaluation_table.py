"""The table of an experiment file that says what evaluates subnetworks."""

from typing import Literal

import torch
from pydantic import Field, field_validator

from netstitch.evaluation import ExecutionConfig
from netstitch.evaluation.execution_config import ERROR, TIMEOUT
from netstitch.evaluation.numerics import FULL, Precision
from netstitch.experiments.table import Count, Table


class EvaluationSettings(Table):
    """What evaluates subnetworks, and on how much of the machine."""

    device: str | list[str] = Field(
        default="cpu",
        description="a device of PyTorch, or some that workers take in turn: 'cpu' (the default), "
        "'cuda', ['cuda:0', 'cuda:1'], ...",
    )
    executor: Literal["processes", "serial", "ray"] = Field(
        default="processes",
        description="'processes' (the default), workers that share networks and samples, or "
        "'serial', this process alone, or 'ray', the machines of a Ray cluster",
    )
    address: str | None = Field(
        default=None,
        description="of a Ray cluster, 'HOST:PORT', or 'auto' for the one that this machine is in; "
        "by default one is started here",
    )
    temporary: str | None = Field(
        default=None,
        description="folder for logs and sockets of a Ray cluster that is started, with a short "
        "path; by default Ray's own",
    )
    gpus_per_worker: float = Field(
        default=0.0,
        ge=0,
        description="GPUs that each worker of a Ray cluster takes, such as 0.5 for two on each; by "
        "default 0",
    )
    workers: int = Field(
        default=0,
        ge=0,
        description="processes; 0 (the default) for one a core, or one for each other device",
    )
    threads: int = Field(
        default=0,
        ge=0,
        description="batches that each worker runs side by side, each on a core; 0 (the default) "
        "for one, and for one a core where the executor is 'serial'",
    )
    in_flight: Count = Field(
        default=16,
        description="evaluations under way, so many as the search proposes before it knows their "
        "results; workers compute some of them together, what they have in common once; by "
        "default 16",
    )
    order: Literal["asked", "finished"] = Field(
        default="asked",
        description="in which the search is given results: 'asked' (the default), so that it "
        "depends on the seed and in_flight alone, or as they are 'finished', which keeps workers "
        "busy where some evaluations take many times longer than others",
    )
    cache: float | None = Field(
        default=None,
        ge=0,
        description="0, or left out: activations are not kept between evaluations, since those "
        "under way are computed together",
    )
    early: Literal["certain", "likely", "never"] = Field(
        default="certain",
        description="whether evaluations end early: where the outcome is 'certain' (the default), "
        "which changes nothing of what is found, or 'likely', or 'never'",
    )
    error: float = Field(
        default=ERROR,
        gt=0,
        lt=1,
        description="with early = 'likely', the probability that an evaluation ends early which "
        "the search would have taken; by default 0.001",
    )
    fused: bool = Field(
        default=True,
        description="whether operations are joined where that is equal up to rounding, such as a "
        "batch norm with the layer before it; what the search finds is measured again without; by "
        "default true",
    )
    precision: Precision = Field(
        default=FULL,
        description="of weights and activations in evaluations: 'float32' (the default), or "
        "'bfloat16' or 'float16', which GPUs run faster; what the search finds is measured again "
        "in float32",
    )
    batch: int = Field(
        default=0,
        ge=0,
        description="samples that networks are run on together; 0 (the default) for what is "
        "fastest here",
    )
    timeout: float = Field(
        default=TIMEOUT,
        gt=0,
        description="seconds after which an evaluation is taken for hung, and tried once more in "
        "another process; by default an hour",
    )
    recalibrate: int = Field(
        default=0,
        ge=0,
        description="training samples that batch norms behind the stitches of each subnetwork take "
        "their statistics from; 0 (the default) to keep those of the networks",
    )

    @field_validator("device")
    @classmethod
    def _named(cls, device: str | list[str]) -> str | list[str]:
        if not device:
            raise ValueError("expected a device of PyTorch or more, such as 'cpu' or 'cuda:0'")
        try:
            for name in [device] if isinstance(device, str) else device:
                torch.device(name)
        except RuntimeError:
            raise ValueError("expected a device of PyTorch, such as 'cpu' or 'cuda:0'") from None
        return device

    @field_validator("cache")
    @classmethod
    def _kept_no_more(cls, cache: float | None) -> float | None:
        if cache:
            raise ValueError(
                "activations are no longer kept between evaluations; those under way, in_flight, "
                "are computed together instead: leave cache out, or give 0"
            )
        return cache

    @property
    def spread(self) -> ExecutionConfig:
        """The same for evaluations."""
        return ExecutionConfig(
            kind=self.executor,
            workers=self.workers,
            threads=self.threads,
            devices=(self.device,) if isinstance(self.device, str) else tuple(self.device),
            in_flight=self.in_flight,
            ordered=self.order == "asked",
            early=self.early,
            error=self.error,
            fused=self.fused,
            precision=self.precision,
            batch=self.batch,
            timeout=self.timeout,
            address=self.address,
            temporary=self.temporary,
            gpus_per_worker=self.gpus_per_worker,
        )

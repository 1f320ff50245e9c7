"""An experiment as data: every table and key of its file, with their defaults.

The paper's section 6 is such an experiment: networks of one task, the images its stitches are
fitted on, and a search with a budget.
"""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from netstitch.experiments.evaluation_table import EvaluationSettings
from netstitch.experiments.fit_table import LEAST_SQUARES, FitTable, LeastSquaresTable
from netstitch.experiments.procedure import with_procedure
from netstitch.experiments.protocol_table import ProtocolTable
from netstitch.experiments.refine_table import RefineTable
from netstitch.experiments.search_table import EVALUATIONS, SearchTable
from netstitch.experiments.table import Count, Table
from netstitch.experiments.task_table import PerChannel, TaskTable
from netstitch.matching.objectives import INSTEAD, REMOVED


class AdapterTable(Table):
    """The images that a network was trained on, where they are not those of the task."""

    size: Count | None = Field(
        default=None, description="edge of the square input in pixels; by default the task's"
    )
    mean: PerChannel = Field(description="per channel, of values in [0, 1]")
    std: PerChannel = Field(description="per channel, as mean")


class NetworkTable(Table):
    """One trained network."""

    model: str = Field(
        min_length=1,
        description="where the model comes from: 'file.py:function', 'package.module:function', "
        "'timm:NAME' or 'torchvision:NAME'",
    )
    weights: str | None = Field(
        default=None,
        min_length=1,
        description="its weights: a file of safetensors or torch.save, its state dict or a "
        "checkpoint that holds it, or 'pretrained', those of timm or torchvision, which it may "
        "download; by default those that the model is built with",
    )
    ema: bool = Field(
        default=False,
        description="whether the exponential moving average of weights is taken that the file "
        "holds beside them; by default false",
    )
    name: str = Field(
        default="",
        description="what reports call it; by default the function's or the model's name, "
        "numbered where two are equal",
    )
    outputs: Literal["logits", "probabilities"] = Field(
        default="logits",
        description="what it puts out: 'logits' (the default), or 'probabilities', as behind a "
        "softmax or a sigmoid, whose logarithm becomes part of the network",
    )
    images: AdapterTable | None = Field(
        default=None,
        description="a table with what its images are like, where that is not as [task.images]; "
        "the way there becomes part of the network",
    )


class MatchingTable(Table):
    """Which points are joined."""

    points: Literal["all", "distinct"] = Field(
        default="distinct",
        description="'distinct' (the default), which takes points that differ by an affine map "
        "for one, such as a convolution and its batch norm, or 'all'",
    )
    objective: Literal["count", "balanced"] = Field(
        default="count",
        description="what the matching maximises: 'count' (the default), the matches, or "
        "'balanced', matches at like shares of both networks' multiply-adds",
    )

    @field_validator("objective", mode="before")
    @classmethod
    def _there_still(cls, objective: object) -> object:
        if objective in REMOVED:
            raise ValueError(INSTEAD)
        return objective


class Experiment(Table):
    """An experiment file's content, all defaults filled in; see `read_experiment`."""

    name: str = Field(
        default="",
        description="what reports call it; by default the file's name without its ending",
    )
    seed: int = Field(default=1, ge=0, description="of everything random; by default 1")
    procedure: Literal["netstitch", "paper"] = Field(
        default="netstitch",
        description="where the tables matching, fit, refine and evaluation start from: "
        "'netstitch' (the default), or 'paper', exactly what the paper does",
    )
    folder: str = Field(
        default="", description="where relative paths start; by default the file's own folder"
    )
    data: str = Field(
        default="", description="folder that holds data sets; by default that of relative paths"
    )
    weights: str | None = Field(
        default=None,
        description="folder with a file of weights for each network, such as NAME.safetensors or "
        "NAME.pth, which take the place of those that networks name; by default none",
    )
    networks: list[NetworkTable] = Field(
        min_length=2, description="two or more [[networks]] tables"
    )
    task: TaskTable = Field(description="what the networks do, and its samples")
    matching: MatchingTable = Field(default=MatchingTable(), description="which points are joined")
    fit: FitTable = Field(default=LeastSquaresTable(), description="how the stitches are fitted")
    refine: RefineTable = Field(
        default=RefineTable(), description="how fitted stitches are trained in subnetworks"
    )
    search: SearchTable = Field(
        default=SearchTable(evaluations=EVALUATIONS), description="how it is searched"
    )
    evaluation: EvaluationSettings = Field(
        default=EvaluationSettings(), description="what evaluates subnetworks"
    )
    protocol: ProtocolTable = Field(
        default=ProtocolTable(), description="what `netstitch protocol` runs"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_procedure(cls, experiment: Any) -> Any:
        return with_procedure(experiment) if isinstance(experiment, dict) else experiment

    @field_validator("networks")
    @classmethod
    def _distinct(cls, networks: list[NetworkTable]) -> list[NetworkTable]:
        given = [network.name for network in networks if network.name]
        twice = next((name for name in given if given.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two networks are named {twice!r}; expected distinct names")
        taken, named = set(given), []
        for network in networks:
            name = network.name or _free(network.model.rpartition(":")[2], taken)
            taken.add(name)
            named.append(network.model_copy(update={"name": name}))
        return named

    @property
    def fit_settings(self) -> dict[str, Any]:
        """Keyword arguments for `Supernet.fit`, the method among them."""
        settings = self.fit.model_dump(exclude={"batch"})
        return settings if self.fit.method == LEAST_SQUARES else settings | {"seed": self.seed}

    @property
    def refine_settings(self) -> dict[str, Any] | None:
        """Keyword arguments for `Supernet.refine`; None where stitches stay as they are fitted."""
        return self.refine.settings | {"seed": self.seed} if self.refine.enabled else None

    def located(self, path: str) -> Path:
        """A path of the file, relative ones from the experiment's folder."""
        return Path(self.folder) / os.path.expanduser(path)


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free

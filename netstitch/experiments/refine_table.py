"""The table of an experiment file that says how fitted stitches are refined."""

from typing import Any, Literal

from pydantic import Field

from netstitch.experiments.table import Count, Table


class RefineTable(Table):
    """Stitches trained in sampled subnetworks, after they were fitted."""

    enabled: bool = Field(default=True, description="whether to refine; by default true")
    loss: Literal["outputs", "features", "labels"] = Field(
        default="outputs",
        description="what is compared: 'outputs' (the default) of stitched networks and their "
        "teachers, the 'features' that last layers read, or outputs with 'labels'",
    )
    teacher: str = Field(
        default="own",
        min_length=1,
        description="'own' (the default), the network whose output it is, or the name of a "
        "network or 'ensemble' for all",
    )
    steps: Count | None = Field(
        default=None,
        description="budget of steps; by default, where seconds give none, 300, or 5 for each "
        "stitch where that is more",
    )
    seconds: float | None = Field(
        default=None,
        gt=0,
        description="budget of time; by default none; of two budgets the stricter counts",
    )
    learning_rate: float = Field(
        default=1e-2,
        gt=0,
        description="of the first step, for features that vary by 1; it falls along a cosine; by "
        "default 1e-2",
    )
    batch_size: Count = Field(default=32, description="images of a batch; by default 32")
    subnetworks: Count = Field(default=6, description="sampled for each batch; by default 6")
    holdout: float = Field(
        default=0.125,
        gt=0,
        le=0.5,
        description="share of the samples not trained on: half of them choose which stitches "
        "improved, half are reported on; by default 0.125",
    )
    memory_budget: Count = Field(
        default=2_000_000_000,
        description="bytes, each, of images held, and of activations; by default 2e9",
    )

    @property
    def settings(self) -> dict[str, Any]:
        """Keyword arguments for `Supernet.refine`."""
        return self.model_dump(exclude={"enabled"})

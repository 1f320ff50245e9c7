"""front.json: a front as a document."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from netstitch.analysis.cascade_point import CascadePoint
from netstitch.analysis.front_point import FrontPoint, ObjectiveName, Split
from netstitch.files.documents import STRICT, Count


class FrontDocument(BaseModel):
    """The fields of a front, behind what tells its file from others."""

    model_config = ConfigDict(**STRICT, extra="forbid")

    format: Literal["netstitch front"] = "netstitch front"
    version: Literal[3] = 3
    points: tuple[FrontPoint, ...]
    cascades: tuple[CascadePoint, ...]
    plain_cascades: tuple[CascadePoint, ...]
    beaten: tuple[FrontPoint, ...] = ()
    unconfirmed: tuple[FrontPoint, ...] = ()
    samples: dict[Split, Count] = {}
    references: tuple[FrontPoint, ...]
    measure: str
    objective: ObjectiveName
    cost_name: str
    unit: str

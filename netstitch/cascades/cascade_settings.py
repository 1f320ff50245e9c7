"""Settings of the search for cascades, as keywords and in a file."""

from typing import Literal, TypedDict

from pydantic import Field

from netstitch.errors import SearchError
from netstitch.files.settings import MEMORY, Settings
from netstitch.stitching.cascade import Confidence


class CascadeSettings(Settings):
    """Cascades of what the search found: samples that a cheap network is sure of stop there."""

    refusal = SearchError
    called = "find_cascades"

    enabled: bool = True
    """Look for cascades at the end of a run."""
    stages: Literal[2, 3] = 2
    """The most stages of a cascade, 2 or 3."""
    stitched: bool = False
    """Take networks with stitches as stages too; by default the basis networks, their ensembles and
    exits alone, to which stitched stages added nothing in the few runs measured."""
    candidates: int = Field(default=200, ge=2)
    """The most networks and exits that are tried as stages; each is evaluated on all validation
    samples."""
    confidence: Confidence = "probability"
    """The measure of how sure a stage is of a sample: the largest 'probability', its 'margin' over
    the second, the 'entropy', or the 'agreement' of the last two outputs."""
    memory: int = Field(default=MEMORY, ge=1)
    """Bytes of outputs that are held in memory; more are held in a temporary file."""


class CascadeKeywords(TypedDict, total=False):
    """Keywords of `ns.find_cascades` that are fields of `CascadeSettings`."""

    stitched: bool
    candidates: int
    confidence: Confidence
    memory: int

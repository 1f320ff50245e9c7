"""What a row of each table of evaluations holds; see `store.py`."""

from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from netstitch.files.documents import STRICT, Count, Seconds, Share

Row = tuple[Any, ...]

EVALUATION: TypeAdapter[Row] = TypeAdapter(
    tuple[
        Count,  # ordinal
        bytes,  # genotype
        bytes,  # signature
        Share | None,  # accuracy
        Count | None,  # multiply_adds
        Seconds,  # seconds
        Seconds,  # finished
        str,  # worker
        str | None,  # failure
        Annotated[int, Field(ge=0, le=1)],  # bounded
    ],
    config=STRICT,
)
"""Without its checksum."""

DELIVERY: TypeAdapter[Row] = TypeAdapter(
    tuple[
        Count,  # search
        Count,  # number
        Count,  # evaluation
        Count,  # round
        Count,  # skipped
        Seconds,  # elapsed
    ],
    config=STRICT,
)
"""Without its checksum."""

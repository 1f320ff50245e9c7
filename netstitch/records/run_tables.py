"""search.csv and stitches.csv: how a search went, and how well stitches were fitted."""

import csv
import io
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field, ValidationError

from netstitch.files.documents import STRICT, Count, Share, damaged, problem
from netstitch.files.folders import read_file
from netstitch.text import one_line

Mean = Annotated[float, Field(ge=0)]


class HistoryRow(BaseModel):
    """A moment of a search, of which are shown: see `Moment`."""

    model_config = STRICT

    used: Count
    skipped: Count
    nonzero: Mean
    active: Mean


class StitchRow(BaseModel):
    """A stitch; see `stitch_table`."""

    model_config = STRICT

    source: str
    source_point: str
    source_depth: Share
    target: str
    target_point: str
    target_depth: Share
    relative_error: float | None = None


Row = TypeVar("Row", bound=BaseModel)


def read_table(path: Path, row: type[Row]) -> tuple[Row, ...]:
    """Read the rows of a CSV file; none where it is not there.

    Raises StorageError, naming the file and the entry, where one does not fit.
    """
    if not path.exists():
        return ()
    found: list[Row] = []
    try:
        reader = csv.DictReader(io.StringIO(read_file(path).decode()))
        missing = row.model_fields.keys() - set(reader.fieldnames or ())
        if missing:
            raise damaged(path, f"it has no column {min(missing)!r}")
        for texts in reader:
            told = {name: text for name, text in texts.items() if text != ""}
            found.append(row.model_validate_strings(told))
    except ValidationError as error:
        raise damaged(path, f"in row {len(found) + 1}, {problem(error)}") from error
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise damaged(path, one_line(error)) from error
    return tuple(found)

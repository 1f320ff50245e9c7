"""Reading search.csv and stitches.csv of a run."""

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
    """A row of search.csv; its columns are those of `Moment` that are shown."""

    model_config = STRICT

    used: Count
    skipped: Count
    nonzero: Mean
    active: Mean


class StitchRow(BaseModel):
    """A row of stitches.csv, as `stitch_table` writes it."""

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
    """Return the rows of a CSV file; none where it is not there.

    Args:
        path: The file.
        row: The model of a row, whose fields are columns.

    Raises:
        StorageError: An entry does not fit; it is named.
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
            given = {name: text for name, text in texts.items() if text != ""}
            found.append(row.model_validate_strings(given))
    except ValidationError as error:
        raise damaged(path, f"in row {len(found) + 1}, {problem(error)}") from error
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise damaged(path, one_line(error)) from error
    return tuple(found)

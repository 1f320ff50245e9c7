"""JSON documents, each read through one pydantic model.

A model states types and bounds, and nothing is converted. Entries that it does not name are
ignored, so that documents of later versions can be read; all numbers are finite.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from netstitch.errors import StorageError
from netstitch.files.folders import read_json
from netstitch.text import one_line, unbroken

STRICT = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

MOST = 2**63 - 1
"""The largest count: what an array of numpy or a column of SQLite holds."""

Count = Annotated[int, Field(ge=0, le=MOST)]
Choice = Annotated[int, Field(ge=0, lt=2**16)]
"""The value of a switch, as the table of evaluations stores it."""
Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=1e12)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]

WORST = "put back a copy of the folder"
"""The way out where a document is damaged."""


class Document(BaseModel):
    """A document, or a part of one."""

    model_config = STRICT


Model = TypeVar("Model", bound=BaseModel)


def read_as(path: Path, form: str, model: type[Model]) -> Model:
    """Return a JSON document whose "format" is `form` as a model.

    Raises:
        StorageError: The file is missing, or an entry does not fit, which is named.
    """
    return validated(read_json(path, form), model, path)


def validated(document: Mapping[str, object], model: type[Model], path: Path | str) -> Model:
    """Return plain data as a model; raise StorageError, naming the file, where it does not fit.

    In text, bytes that are no Unicode, as in names of files, become question marks.
    """
    try:
        # As JSON, since of Python's types a list is no tuple.
        text = json.dumps(document, ensure_ascii=False).encode(errors="replace")
        return model.model_validate_json(text)
    except (TypeError, RecursionError) as error:
        raise damaged(path, one_line(error)) from error
    except ValidationError as error:
        raise damaged(path, problem(error)) from error


def damaged(path: Path | str, reason: str) -> StorageError:
    """Return the error of a document that is not what was written."""
    return StorageError(f"{path} is damaged: {reason}; {WORST}")


def problem(error: ValidationError) -> str:
    """Return the first problem on one line: where it is, what is expected, and what was found."""
    first = error.errors(include_url=False)[0]
    location = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return f"it does not say {location!r}"
    expected = first["msg"].removeprefix("Value error, ").replace("Input", "it", 1)
    if first["type"] in ("value_error", "json_invalid") or not location:
        text = f"{location}: {expected}" if location else expected
    else:
        text = f"{location} is {first['input']!r:.80}, and {expected}"
    return unbroken(text)[:300]

"""Settings: what a step of a run can be told, each declared once in the room that uses it.

A declaration is a field of a `Settings` class: its type, default, bounds, and text below. Keyword
arguments, tables of experiment files, options of the command line, the page of all keys and the
messages about wrong values come from it.
"""

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from inspect import Parameter, getdoc, getsource, signature
from itertools import pairwise
from textwrap import dedent, fill, indent
from typing import Annotated, Any, ClassVar, Self, TypeVar, get_args

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from netstitch.errors import NetstitchError
from netstitch.text import counted, did_you_mean, expected_one_of, unbroken

MEMORY = 2_000_000_000
"""The default of settings that say how many bytes a step may hold."""

Positive = Annotated[int, Field(ge=1)]

LONGEST = 60
"""Characters of a value that a message shows."""
UNKNOWN, MISSING = "unknown_setting", "missing_setting"
"""The types of faults that tell of a name, where all others tell of a value."""
EXPECTED = {
    "greater_than": "expected more than {gt:g}",
    "greater_than_equal": "expected {ge:g} or more",
    "less_than": "expected less than {lt:g}",
    "less_than_equal": "expected {le:g} or less",
    "too_short": "expected at least {min_length}, give more",
    "model_type": "expected a table",
}
"""The expected kinds in shorter words than pydantic's, by the type of fault."""


class Settings(BaseModel):
    """Settings of one step: no other names than these, and no value of another type.

    Attributes:
        refusal: What is raised for settings that cannot be used.
        called: What messages call them where they are no table within others; by default their
            class.
        removed: What replaces a value of earlier versions, by key and value.
        refused: What to do instead of giving a name that is no setting here, or none any more.
    """

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)
    refusal: ClassVar[type[NetstitchError]] = NetstitchError
    called: ClassVar[str] = ""
    removed: ClassVar[Mapping[tuple[str, str], str]] = {}
    refused: ClassVar[Mapping[str, str]] = {}

    def __init__(self, /, **given: object) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            called = self.called or type(self).__name__
            raise self.refusal(_fault(error, given, called)) from None

    # Tables within tables are not made by it, so that the outermost one says where a fault is.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @classmethod
    def from_keywords(cls, given: Mapping[str, Any], others: Iterable[str]) -> Self:
        """Return settings of a function's keywords; `others` are keywords that are no settings."""
        check_names(cls.called, given, [*settings_fields(cls), *others], cls.refusal)
        return cls(**given)

    def changed(self, **changes: Any) -> Self:
        """Return these settings with others in the place of some, checked like them."""
        return type(self)(**{**dict(self), **changes})

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        for name, instead in cls.refused.items():
            if name in given:
                raise ValueError(instead)
        for name in given:
            if name not in cls.model_fields:
                text = _unknown(name, settings_fields(cls))
                raise PydanticCustomError(UNKNOWN, "{text}", {"text": text})
        for name, field in cls.model_fields.items():
            if name not in given and field.is_required():
                text = f"lacks the key {name!r}; expected: {setting_text(cls, name)}"
                raise PydanticCustomError(MISSING, "{text}", {"text": text})
        return given

    @field_validator("*", mode="before")
    @classmethod
    def _check_value(cls, value: Any, field: ValidationInfo) -> Any:
        """Refuse a value of earlier versions, and return a number of NumPy as one of Python."""
        if isinstance(value, str) and (field.field_name, value) in cls.removed:
            raise ValueError(cls.removed[str(field.field_name), value])
        return value.item() if isinstance(value, np.generic) else value


def settings_fields(model: type[BaseModel]) -> list[str]:
    """Return the names of the fields that may be given."""
    return [name for name, field in model.model_fields.items() if not field.exclude]


def setting_text(model: type[BaseModel], name: str) -> str:
    """Return the text of a setting on one line: its description, or the docstring below it."""
    declaring = next(one for one in model.__mro__ if name in vars(one).get("__annotations__", ()))
    text = model.model_fields[name].description or _docstrings(declaring).get(name, "")
    return unbroken(text)


@cache
def _docstrings(declaring: type) -> dict[str, str]:
    """Return the docstrings below fields; pydantic would read them at each import, slowly."""
    try:
        (found,) = ast.parse(dedent(getsource(declaring))).body
    except OSError:  # a package without its sources
        return {}
    assert isinstance(found, ast.ClassDef)
    return {
        ast.unparse(field.target): str(text.value.value)
        for field, text in pairwise(found.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }


def tables_of(annotation: Any) -> list[type[BaseModel]]:
    """Return the tables inside an annotation such as `list[NetworkTable]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in tables_of(part)]


def check_names(
    called: str, given: Iterable[str], known: Iterable[str], refusal: type[NetstitchError]
) -> None:
    """Raise the refusal, with the nearest name, for a name that is not known."""
    words = list(known)
    for name in given:
        if name not in words:
            raise refusal(f"{called} {_unknown(name, words)}")


def as_value_error(check: Callable[..., Any], *given: object) -> None:
    """Let what a check refuses be a fault of the settings that are being read."""
    try:
        check(*given)
    except NetstitchError as error:
        raise ValueError(str(error)) from None


Function = TypeVar("Function", bound=Callable[..., Any])


def with_keywords(model: type[Settings], keywords: type) -> Callable[[Function], Function]:
    """Return a decorator that lets `help` of a function show some fields of its settings.

    Args:
        model: The settings.
        keywords: A TypedDict of those fields that the function takes as keyword arguments.
    """

    def shown(function: Function) -> Function:
        own = signature(function)
        kept = [p for p in own.parameters.values() if p.kind is not Parameter.VAR_KEYWORD]
        texts = []
        for name, kind in keywords.__annotations__.items():
            default = model.model_fields[name].default
            kept.append(Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind))
            text = fill(f"{name}: {setting_text(model, name)}", 92, subsequent_indent=4 * " ")
            texts.append(indent(text, 4 * " "))
        function.__doc__ = "\n".join([getdoc(function) or "", "", "Keyword settings:", *texts])
        function.__signature__ = own.replace(parameters=kept)  # type: ignore[attr-defined]
        return function

    return shown


def _fault(error: ValidationError, given: Mapping[str, Any], called: str) -> str:
    """Return the most telling fault in one line, and how many more there are."""
    problems = error.errors(include_url=False)
    # A misspelt key comes first, since the right one is missing then.
    first = next((one for one in problems if one["type"] == UNKNOWN), problems[0])
    line = _line(first, given, called)
    others = len({tuple(_place(one["loc"], given)) for one in problems}) - 1
    return f"{line} ({counted(others, 'more problem')})" if others else line


def _line(problem: ErrorDetails, given: Mapping[str, Any], called: str) -> str:
    place, value, expected = _place(problem["loc"], given), problem["input"], _expected(problem)
    table = _table(place) if place else called
    if problem["type"] in (UNKNOWN, MISSING):
        return f"{table} {expected}"
    if problem["type"] == "value_error" and isinstance(value, dict):
        return f"{table}: {expected}" if place else expected
    *outer, key = place
    if isinstance(key, int):
        *outer, listed = outer
        name = f"value {key + 1} of {listed!r}"
    else:
        name = repr(key) if outer else key
    where = f" in {_table(outer)}" if outer else ""
    return f"{name}{where} is {_shown(value)}; {expected}"


def _place(location: Iterable[int | str], given: Any) -> list[int | str]:
    """Return a location as it stands in what was given: unions put words of their own into it."""
    place = []
    for part in location:
        rows = range(len(given)) if isinstance(given, list | tuple) else ()
        if part in (given if isinstance(given, dict) else rows):
            given = given[part]
            place.append(part)
    return place


def _expected(problem: ErrorDetails) -> str:
    """Return the expectation in words, with the nearest known word where there is one."""
    message = problem["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    if problem["type"] in EXPECTED:
        message = EXPECTED[problem["type"]].format(**problem["ctx"])
    if problem["type"] == "literal_error":
        known = re.findall(r"'([^']+)'", problem["ctx"]["expected"])
        message = did_you_mean(problem["input"], known) + message
    return unbroken(message)


def _table(place: list[int | str]) -> str:
    """Return the head of a table as it stands in a file."""
    if isinstance(place[-1], int):
        return f"[[{'.'.join(map(str, place[:-1]))}]] number {place[-1] + 1}"
    return f"[{'.'.join(map(str, place))}]"


def _unknown(name: object, known: Iterable[str]) -> str:
    words = list(known)
    expected = expected_one_of(str(name)[:LONGEST], words) if words else "it takes none"
    return f"has no setting {_shown(name)}; {expected}"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list) and any(isinstance(row, dict) for row in value):
        return f"a list of {counted(len(value), 'table')}"
    text = repr(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."

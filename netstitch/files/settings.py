"""Settings: what a step of a run can be told, each declared once in the room that uses it.

A declaration is a field of a `Settings` class: its type, default, bounds and text. Keyword
arguments, tables of experiment files, options of the command line, the page of all keys and the
messages about wrong values come from it.
"""

import re
from collections.abc import Callable, Mapping
from inspect import Parameter, getdoc, signature
from numbers import Integral, Real
from textwrap import fill, indent
from typing import Annotated, Any, ClassVar, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from netstitch.errors import NetstitchError
from netstitch.text import did_you_mean

Positive = Annotated[int, Field(ge=1)]

Location = tuple[int | str, ...]
LONGEST = 60
"""Characters of a value that a message shows."""


class Settings(BaseModel):
    """Settings of one step: no other names than these, and no value of another type.

    Attributes:
        refusal: What is raised for settings that cannot be used.
        removed: What replaces a value of earlier versions, by key and value.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
    refusal: ClassVar[type[NetstitchError]] = NetstitchError
    removed: ClassVar[Mapping[tuple[str, str], str]] = {}

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**{name: _plain(value) for name, value in given.items()})
        except ValidationError as error:
            raise self.refusal(fault_line(error, type(self))) from None

    # Tables within tables are not made by it, so that the outermost one says where a fault is.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def changed(self, **changes: Any) -> Self:
        """Return these settings with others in the place of some, checked like them."""
        return type(self)(**{**dict(self), **changes})


def settings_fields(model: type[BaseModel]) -> list[str]:
    """Return the names of the fields that may be given."""
    return [name for name, field in model.model_fields.items() if not field.exclude]


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
        fields = {name: model.model_fields[name] for name in keywords.__annotations__}
        kinds, kind = keywords.__annotations__, Parameter.KEYWORD_ONLY
        kept += [
            Parameter(name, kind, default=field.default, annotation=kinds[name])
            for name, field in fields.items()
        ]
        texts = [
            indent(fill(f"{name}: {field.description}", 92, subsequent_indent=4 * " "), 4 * " ")
            for name, field in fields.items()
        ]
        function.__doc__ = "\n".join([getdoc(function) or "", "", "Keyword settings:", *texts])
        function.__signature__ = own.replace(parameters=kept)  # type: ignore[attr-defined]
        return function

    return shown


def _plain(value: Any) -> Any:
    """Return a number of NumPy as one of Python."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else value


def fault_line(error: ValidationError, model: type[BaseModel], *, top: str = "") -> str:
    """Return the most telling fault in one line: what is wrong, what was expected.

    A misspelt key is told first, since it also leaves the right one missing.

    Args:
        error: What pydantic found.
        model: The class of the outermost table.
        top: What the outermost table is called; without it, it is not named.
    """
    problems = error.errors(include_url=False)
    first = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    line, others = _line(first, model, top), len(problems) - 1
    return f"{line} ({others} more problem{'s' if others > 1 else ''})" if others else line


def _line(problem: ErrorDetails, model: type[BaseModel], top: str) -> str:
    location, table, inner = _followed(problem["loc"], model)
    if not location:
        return expected_text(problem)
    key, value = str(location[-1]), problem["input"]

    def within(outer: Location, template: str) -> str:
        where = table_name(outer) if outer else top
        return template.format(where) if where else ""

    if problem["type"] == "extra_forbidden":
        known = settings_fields(table)
        hint = f"{did_you_mean(key[:LONGEST], known)}known: {', '.join(known)}"
        return f"unknown key {_shown(key)}{within(location[:-1], ' in {}')}; {hint}"
    if problem["type"] == "missing":
        meaning = table.model_fields[key].description
        missing = f"the key {key!r}; expected {meaning}"
        return f"{within(location[:-1], '{} lacks ') or 'there lacks '}{missing}"
    expected = expected_text(problem)
    if problem["type"] == "union_tag_invalid":  # told of the table, but its method is at fault
        table, key = inner[0], problem["ctx"]["discriminator"].strip("_()'")
        value = value.get(key)
        known = re.findall(r"'([^']+)'", problem["ctx"]["expected_tags"])
        expected = f"{did_you_mean(value, known)}expected one of {', '.join(map(repr, known))}"
        location = (*location, key)
    elif isinstance(value, dict) and problem["type"] == "value_error":
        return f"{table_name(location)}: {expected}"
    expected = _removed(table, key, value) or expected
    if isinstance(location[-1], int):
        outer = location[:-2]
        name = f"value {location[-1] + 1} of {str(location[-2])!r}"
    else:
        outer, name = location[:-1], _shown(key) if top or location[:-1] else key
    return f"{name}{within(outer, ' in {}')} is {_shown(value)}; {expected}"


def _removed(table: type[BaseModel], key: str, value: Any) -> str | None:
    return table.removed.get((key, str(value))) if issubclass(table, Settings) else None


def expected_text(problem: ErrorDetails) -> str:
    """Return what was expected instead, with the nearest known word where there is one."""
    message = problem["msg"].removeprefix("Value error, ")
    message = message.replace("Input should be", "expected")
    if problem["type"] == "too_short":
        message = f"expected at least {problem['ctx']['min_length']}, give more"
    if problem["type"] in ("model_type", "list_type"):
        message = "expected a table" if problem["type"] == "model_type" else "expected a list"
    if problem["type"] == "literal_error" and isinstance(problem["input"], str):
        known = re.findall(r"'([^']+)'", problem["ctx"]["expected"])
        message = did_you_mean(problem["input"], known) + message
    return " ".join(message.split())


def table_name(location: Location) -> str:
    """Return the head of a table as it stands in a file."""
    if isinstance(location[-1], int):
        return f"[[{'.'.join(map(str, location[:-1]))}]] number {location[-1] + 1}"
    return f"[{'.'.join(map(str, location))}]"


def _followed(
    loc: Location, model: type[BaseModel]
) -> tuple[Location, type[BaseModel], list[type[BaseModel]]]:
    """Return a location without the tags of unions, its table, and those that may stand there."""
    named: list[int | str] = []
    table, inner = model, list[type[BaseModel]]()
    for part in loc:
        tagged = [one for one in inner if part in _tags(one)] if len(inner) > 1 else []
        if tagged:
            inner = tagged
            continue
        if inner and isinstance(part, str):
            table, inner = inner[0], []
        named.append(part)
        if isinstance(part, str) and part in table.model_fields:
            inner = tables_of(table.model_fields[part].annotation)
    return tuple(named), table, inner


def _tags(model: type[BaseModel]) -> list[Any]:
    return [field.default for field in model.model_fields.values()]


def tables_of(annotation: Any) -> list[type[BaseModel]]:
    """Return the tables inside an annotation such as `list[NetworkTable]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in tables_of(part)]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list) and any(isinstance(row, dict) for row in value):
        return f"a list of {len(value)} table{'s' if len(value) != 1 else ''}"
    text = repr(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def as_value_error(check: Callable[..., Any], *given: Any) -> None:
    """Let what a check refuses be a fault of the settings that are being read."""
    try:
        check(*given)
    except NetstitchError as error:
        raise ValueError(str(error)) from None

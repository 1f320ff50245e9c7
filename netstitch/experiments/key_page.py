"""The page of all keys of experiment files, and the texts of options, from their declarations.

`python -m netstitch.experiments.key_page docs/keys.md netstitch/cli/key_texts.json` writes both;
tests hold the files against the declarations. The command line reads texts from its file, so that
its help need not load the classes of settings, and with them PyTorch.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticOmit, core_schema

from netstitch.experiments.experiment import Experiment
from netstitch.files.settings import setting_text, settings_fields, tables_of
from netstitch.text import unbroken
from netstitch.tuning import FineTuneSettings

HEAD = """# All keys of experiment files

Every table and key of an experiment file, with its kind, its default and what it says. A key
without a default has to be given; an empty default is told in the text. This page is written by
`python -m netstitch.experiments.key_page docs/keys.md netstitch/cli/key_texts.json`, from the
declarations that the package, its messages and `--help` use; [experiments.md](experiments.md) tells
how an experiment is run.
"""

KINDS = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "object": "table",
}
BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


class _FileSchema(GenerateJsonSchema):
    """A schema of what a file can say, which is no function."""

    def callable_schema(self, schema: core_schema.CallableSchema) -> JsonSchemaValue:
        raise PydanticOmit


def key_page() -> str:
    """Return the page as Markdown."""
    return "\n".join([HEAD, *_tables(Experiment, "Top level", "")])


def _tables(model: type[BaseModel], title: str, path: str) -> Iterator[str]:
    """Return a table of keys, and those of the tables within it."""
    doc = (model.__doc__ or "").split("\n\n")[0]
    yield f"## {title}\n\n{unbroken(doc)}\n"
    yield "| key | kind | default | |\n|---|---|---|---|"
    properties = model.model_json_schema(schema_generator=_FileSchema)["properties"]
    inner: dict[type[BaseModel], list[str]] = {}
    for name in settings_fields(model):
        field = model.model_fields[name]
        own = tables_of(field.annotation)
        title = f"[[{path}{name}]]" if _is_list(field) else f"[{path}{name}]"
        kind = f"`{title}`" if own else _kind(properties[name])
        default = "" if own and not field.is_required() else _default(field)
        text = setting_text(model, name)
        yield f"| `{name}` | {kind} | {default} | {text} |".replace("||", "| |")
        for table in own:
            inner.setdefault(table, []).append(title)
    yield ""
    for table, titles in inner.items():
        method = table.model_fields.get("method")
        with_method = f', `method = "{method.default}"`' if method is not None else ""
        title = ", ".join(f"`{title}`" for title in titles)
        yield from _tables(table, title + with_method, f"{titles[0].strip('[]')}.")


def _is_list(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is list


def _kind(schema: Mapping[str, Any]) -> str:
    """Return the kinds of values in words, with their bounds."""
    bounds = ",".join(f" {sign} {schema[key]:g}" for key, sign in BOUNDS.items() if key in schema)
    if "anyOf" in schema:
        kinds = [_kind(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds)) + bounds
    choices = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    if choices:
        return " or ".join(f"`{json.dumps(choice)}`" for choice in choices)
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return KINDS[schema.get("type", "string")] + bounds


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.default
    if value is None or value in ("", {}, []):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    text = f"{value:_}" if isinstance(value, int) else repr(value)
    return f"`{text}`".translate({ord("'"): '"', ord("("): "[", ord(")"): "]"})


def key_texts() -> dict[str, str]:
    """Return the texts of keys, dotted, that options of the command line take the place of."""
    texts = {name: setting_text(Experiment, name) for name in ("data", "weights")}
    tables: dict[str, type[BaseModel]] = {"finetune": FineTuneSettings}
    for table in ("search", "evaluation", "cascades"):
        (tables[table],) = tables_of(Experiment.model_fields[table].annotation)
    for table, model in tables.items():
        for name in settings_fields(model):
            texts[f"{table}.{name}"] = setting_text(model, name)
    return texts


if __name__ == "__main__":
    page, texts = map(Path, sys.argv[1:])
    page.write_text(key_page(), encoding="utf-8")
    texts.write_text(json.dumps(key_texts(), indent=1) + "\n")

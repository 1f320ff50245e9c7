"""Plain data as TOML."""

import json
from collections.abc import Mapping
from typing import Any

# Python's standard library reads TOML and does not write it.


def to_toml(document: Mapping[str, Any]) -> str:
    """Text that `tomllib.loads` reads back as an equal document.

    document: strings, booleans, finite numbers, lists of these, tables, and lists of tables.
    """
    return "\n".join(_lines(document, ())).strip() + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    # Values go first: behind the head of a table inside they would belong to that one.
    lines = [
        f"{_key(key)} = {_value(value)}" for key, value in table.items() if not _is_table(value)
    ]
    for key, value in table.items():
        inner = (*path, key)
        name = ".".join(map(_key, inner))
        if isinstance(value, Mapping):
            lines += ["", f"[{name}]", *_lines(value, inner)]
        elif _is_table(value):
            for row in value:
                lines += ["", f"[[{name}]]", *_lines(row, inner)]
    return lines


def _is_table(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(row, Mapping) for row in value)
    return isinstance(value, Mapping)


def _key(key: str) -> str:
    bare = key.replace("-", "_")
    return key if bare.isascii() and bare.replace("_", "a").isalnum() else _string(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    return _string(value) if isinstance(value, str) else repr(value)


def _string(text: str) -> str:
    # JSON's escapes are TOML's, but for one character that only TOML forbids.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

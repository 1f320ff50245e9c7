"""Lists of parameters in the API pages.

Docstrings tell parameters as "name: what it is.", one after the other, in paragraphs. Pages are
easier to read with an item for each, and only here it is known which words are names.
"""

import re
from typing import Any

import griffe


class Parameters(griffe.Extension):
    """Turns what a docstring says of parameters and fields into a list."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        _rewrite(func, [parameter.name.lstrip("*") for parameter in func.parameters])

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        _rewrite(cls, [name for name in cls.members if not name.startswith("_")])


def _rewrite(found: griffe.Object, names: list[str]) -> None:
    if found.docstring is None:
        return
    paragraphs = re.split(r"\n\s*\n", found.docstring.value)
    found.docstring.value = "\n\n".join(listed(one, names) for one in paragraphs)


def listed(paragraph: str, names: list[str]) -> str:
    """A paragraph with an item for each name that it tells; as it is where it tells none."""
    if not names or paragraph.lstrip().startswith((":::", "|", "-", ">>>", "```")):
        return paragraph
    name = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    told = re.compile(rf"(?:^|(?<=\. )|(?<=\.\n)|(?<=\n))\s*((?:{name})(?:, (?:{name}))*): ")
    pieces = told.split(paragraph)
    if len(pieces) == 1:
        return paragraph
    before, rest = pieces[0].strip(), pieces[1:]
    items = [
        f"- `{names_of}`: {_item(text)}"
        for names_of, text in zip(rest[::2], rest[1::2], strict=True)
    ]
    return "\n".join([*([before, ""] if before else []), *items])


def _item(text: str) -> str:
    """Indented lines that begin with a word in quotes are items of their own, of a choice."""
    lines = " ".join(text.split("\n")) if '\n    "' not in text else text
    return re.sub(r'\n\s+("[\w-]+": )', r"\n    - \1", lines).strip()

"""One name, one meaning: no two modules and no two classes of the package are called alike."""

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "netstitch"

ROOM_OF_ITS_CLASS = {"supernet": ["supernet", "supernet/supernet.py"]}
"""The room `supernet/` is that of `Supernet`, which is in the module of that name."""


def test_no_two_modules_have_one_name() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(PACKAGE.rglob("*.py")):
        named = file.parent if file.name == "__init__.py" else file
        found[named.stem.strip("_")].append(named.relative_to(PACKAGE).as_posix())
    assert {name: files for name, files in found.items() if len(files) > 1} == ROOM_OF_ITS_CLASS


def test_no_two_classes_have_one_name() -> None:
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name.strip("_")].append(f"{file.name}:{node.lineno}")
    assert {name: places for name, places in found.items() if len(places) > 1} == {}

"""Functions that a user names as text: in a file of theirs, or in a module.

Naming a function runs its code, as importing it would; nothing is run that was not named.
"""

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import cast

from torch import nn

from netstitch.errors import NetstitchError
from netstitch.networks.capturing.diagnostics import source_line
from netstitch.networks.sources.importing import check_permitted, importing_from
from netstitch.text import did_you_mean, one_line

FORMS = "'path/to/file.py:function' or 'package.module:function'"

OWN_MODULE = "netstitch.demo.embedded"
"""A module of this package whose functions experiments may name, though nobody signed for them."""


def call_function(
    spec: str, *, folder: Path | None = None, error: type[NetstitchError] = NetstitchError
) -> object:
    """Call a function without arguments and return what it returns.

    Args:
        spec: "path/to/file.py:function" or "package.module:function".
        folder: Where relative paths start, and where modules are looked for first, as if Python
            were started there; by default the current folder.
        error: The kind raised when the function is not there, cannot be called, or itself raises
            (the message then names the innermost line of the user's code).
    """
    place = spec.rpartition(":")[0]
    if not is_function(spec):
        raise error(f"{spec!r} names no function; expected {FORMS}")
    if not place.endswith(".py") and not all(part.isidentifier() for part in place.split(".")):
        raise error(f"{spec!r}: {place!r} is neither a .py file nor a module; expected {FORMS}")
    try:
        if is_own(spec):
            return _function(importlib.import_module(place), spec, error)()
        found = locate(spec, Path.cwd() if folder is None else folder)
        check_permitted(found.name)
        with importing_from(found.root) as load:
            if not place.endswith(".py"):
                return _function(importlib.import_module(place), spec, error)()
            [path] = found.files
            if not path.is_file():
                raise error(
                    f"{spec!r}: there is no file {path}; check the path, it starts from the folder"
                )
            # Two files of one name must not take each other's place among the loaded modules.
            name = f"_{path.stem}_{sha256(str(path).encode()).hexdigest()[:12]}"
            return _function(load(name, path), spec, error)()
    except NetstitchError:
        raise
    except SyntaxError as failure:
        line = f"{failure.filename}:{failure.lineno}"
        raise error(f"{spec!r} cannot be read: {line}: {failure.msg}; correct it") from failure
    except (Exception, SystemExit) as failure:
        # Where a module is there, it imports something that is not.
        missing = failure.name if isinstance(failure, ModuleNotFoundError) else None
        if missing is not None and f"{place}.".startswith(f"{missing}."):
            raise error(
                f"{spec!r}: there is no module {missing!r}; install it, or give a file as "
                "'path/to/file.py:function'"
            ) from None
        where = source_line(failure)
        raise error(
            f"{spec!r} raised {one_line(failure, kind=True)}{f' at {where}' if where else ''}; "
            "expected a function that runs without arguments"
        ) from failure


@dataclass(frozen=True)
class Located:
    """The place of a function.

    Attributes:
        name: The same for no other function, such as "/folder/file.py:function".
        root: The folder that modules are looked for in first.
        files: Absolute paths that its module may be at; none is there of an installed module.
    """

    name: str
    root: Path
    files: tuple[Path, ...]


def locate(spec: str, folder: Path) -> Located:
    """Return the location of the function that a text names, of the form that `is_function` tells.

    Relative paths start, and modules are looked for first, in the folder.
    """
    place, _, function = spec.rpartition(":")
    if place.endswith(".py"):
        file = (folder / os.path.expanduser(place)).resolve()
        root = (folder / os.path.expanduser(place)).parent.resolve()
        return Located(f"{file}:{function}", root, (file,))
    root = folder.resolve()
    inner = root.joinpath(*place.split("."))
    files = (inner / "__init__.py", inner.with_name(f"{inner.name}.py"))
    return Located(f"{place}:{function} ({root})", root, files)


def is_function(spec: str) -> bool:
    """Return whether text has the form of a function's name rather than a path's."""
    place, _, function = spec.rpartition(":")
    return bool(place) and function.isidentifier()


def is_own(spec: str) -> bool:
    """Return whether a function is one of this package, which is no Python of the user's."""
    return spec.rpartition(":")[0] == OWN_MODULE


def _function(module: ModuleType, spec: str, error: type[NetstitchError]) -> Callable[[], object]:
    """Return the function that a text names; raise `error` where the module has none."""
    function = spec.rpartition(":")[2]
    names = [
        name
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__
    ]
    try:
        value = getattr(module, function)
    except AttributeError:
        known = f"it has {', '.join(sorted(names)[:5])}" if names else "it has no functions"
        raise error(
            f"{spec!r}: there is no function {function!r} in {module.__file__ or module.__name__}; "
            f"{did_you_mean(function, names)}{known}"
        ) from None
    # A module instance is callable too, but only with inputs.
    if not callable(value) or isinstance(value, nn.Module):
        raise error(
            f"{spec!r}: {function} is a {type(value).__name__}, not a function; expected a "
            "function without arguments, write one that returns it"
        )
    return cast(Callable[[], object], value)

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
from typing import Any, TypeVar

from torch import nn

from netstitch.errors import NetstitchError
from netstitch.networks.capturing.diagnostics import source_line
from netstitch.networks.sources.importing import check_permitted, importing_from
from netstitch.text import did_you_mean, one_line

T = TypeVar("T")
FORMS = "'path/to/file.py:function' or 'package.module:function'"

OWN_MODULE = "netstitch.demo.embedded"
"""A module of this package whose functions experiments may name, though nobody signed for them."""


def call_function(
    spec: str, *, folder: Path | None = None, error: type[NetstitchError] = NetstitchError
) -> Any:
    """Call a function without arguments and return what it returns.

    Modules beside a file can be imported from it.

    Args:
        spec: "path/to/file.py:function" or "package.module:function".
        folder: Where relative paths start, and where modules are looked for first, as if Python
            were started there; by default the current folder.
        error: The kind raised when the function is not there, cannot be called, or itself raises
            (the message then names the innermost line of the user's code).
    """
    place, _, function = spec.rpartition(":")
    if not is_function(spec):
        raise error(f"{spec!r} names no function; expected {FORMS}")
    if not place.endswith(".py") and not all(part.isidentifier() for part in place.split(".")):
        raise error(f"{spec!r}: {place!r} is neither a .py file nor a module; expected {FORMS}")
    if is_own(spec):
        named = _attribute(_load_module(place, spec, error), function, spec, error)
        return _guarded(spec, error, named)
    found = locate(spec, Path.cwd() if folder is None else folder)
    check_permitted(found.name)
    with importing_from(found.root) as load:
        if place.endswith(".py"):
            module = _load_file(found.files[0], spec, error, load)
        else:
            module = _load_module(place, spec, error)
        named = _attribute(module, function, spec, error)
        return _guarded(spec, error, named)


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
    """Return where a function is that a text names, of the form that `is_function` tells.

    Args:
        spec: As of `call_function`.
        folder: Where relative paths start, and where modules are looked for first.
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


def _load_file(
    path: Path, spec: str, error: type[NetstitchError], load: Callable[[str, Path], ModuleType]
) -> ModuleType:
    if not path.is_file():
        raise error(f"{spec!r}: there is no file {path}; check the path, it starts from the folder")
    # Two files of one name must not take each other's place among the loaded modules.
    name = f"_{path.stem}_{sha256(str(path).encode()).hexdigest()[:12]}"
    return _guarded(spec, error, lambda: load(name, path))


def _load_module(name: str, spec: str, error: type[NetstitchError]) -> ModuleType:
    def load() -> ModuleType:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as missing:
            if missing.name is None or not f"{name}.".startswith(f"{missing.name}."):
                raise  # the module is there and imports something that is not
            raise error(
                f"{spec!r}: there is no module {missing.name!r}; install it, or give a file as "
                "'path/to/file.py:function'"
            ) from None

    return _guarded(spec, error, load)


def _attribute(
    module: ModuleType, function: str, spec: str, error: type[NetstitchError]
) -> Callable[[], object]:
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
    called: Callable[[], object] = value
    return called


def _guarded(spec: str, error: type[NetstitchError], run: Callable[[], T]) -> T:
    """Run the user's code; whatever it raises becomes one line with its place."""
    try:
        return run()
    except NetstitchError:
        raise
    except SyntaxError as failure:
        place = f"{failure.filename}:{failure.lineno}"
        raise error(f"{spec!r} cannot be read: {place}: {failure.msg}; correct it") from failure
    except (Exception, SystemExit) as failure:
        where = source_line(failure)
        raise error(
            f"{spec!r} raised {one_line(failure, kind=True)}{f' at {where}' if where else ''}; "
            "expected a function that runs without arguments"
        ) from failure

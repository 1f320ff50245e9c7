"""Importing a user's Python from their folders: from source alone, and with a record of what ran.

Bytecode beside a source is neither read nor written: it may say what the source does not. Where
only certain contents may be run, anything else is refused before it is.
"""

import importlib
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import sha256
from importlib.abc import PathEntryFinder
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, cast

from netstitch.errors import NetstitchError


@dataclass(frozen=True)
class Permission:
    """The part of a user's Python that may be run.

    Attributes:
        functions: Names as `functions.locate` gives them.
        files: Digests of contents by absolute path.
        refused: Returns the error that is raised for anything else, a function's name or a file.
    """

    functions: frozenset[str]
    files: Mapping[str, str]
    refused: Callable[[str], NetstitchError]


_permission: ContextVar[Permission | None] = ContextVar("_permission", default=None)


@contextmanager
def permitting(permission: Permission | None) -> Iterator[None]:
    """Run only what is permitted of a user's Python meanwhile; None for anything."""
    token = _permission.set(permission)
    try:
        yield
    finally:
        _permission.reset(token)


def check_permitted(function: str) -> None:
    """Raise the permission's error where a function may not be called."""
    permission = _permission.get()
    if permission is not None and function not in permission.functions:
        raise permission.refused(function)


def digest(content: bytes) -> str:
    """Return the digest of a file's content as signatures hold it."""
    return sha256(content).hexdigest()


def files_run(root: Path) -> dict[str, str]:
    """Return the digests of the files that were run for a folder's functions, by absolute path.

    The folder is the one that was given to `importing_from`.
    """
    found = {}
    for module in list(sys.modules.values()):
        loader = getattr(getattr(module, "__spec__", None), "loader", None)
        if not isinstance(loader, _SourceLoader | _ExtensionLoader) or loader.digest is None:
            continue
        if loader.source.root == str(root.resolve()):
            found[os.path.abspath(loader.path)] = loader.digest
    return found


@contextmanager
def importing_from(folder: Path) -> Iterator[Callable[[str, Path], ModuleType]]:
    """Look for modules in a folder first, as Python does for a script's own.

    Yields a function that loads a file as a module of a given name.
    """
    root = str(folder.resolve())
    earlier = [one for one in sys.path_hooks if isinstance(one, _Source)]
    added = {path for one in earlier for path in one.roots}  # by code that was run, to sys.path
    known = [path for path in map(os.path.abspath, sys.path) if path not in {root, *added}]
    same = [one for one in earlier if one.root == root]
    source = _Source([root, *(path for one in same for path in one.roots[1:])], known)
    # It stays: what a package imports later, when a sample is read, comes by the same way.
    sys.path_hooks[:] = [source, *(one for one in sys.path_hooks if one not in same)]
    for path in [path for path in sys.path_importer_cache if source.holds(path)]:
        del sys.path_importer_cache[path]
    sys.path.insert(0, source.root)
    importlib.invalidate_caches()
    try:
        yield source.load
    finally:
        source.open = False
        if source.root in sys.path:
            sys.path.remove(source.root)


class _Source:
    """A path hook for a function's modules: in its folder, and what its code adds to `sys.path`.

    Called with a path, it returns the finder for modules in there.
    """

    def __init__(self, roots: list[str], known: list[str]) -> None:
        self.root = roots[0]
        self.roots = roots
        self.open = True
        self._known = known
        self._permission = _permission.get()

    def __call__(self, path: str) -> PathEntryFinder:
        path = os.path.abspath(path)
        ours = path not in (*self._known, *self.roots)
        if self.open and ours and path in map(os.path.abspath, sys.path):
            self.roots.append(path)  # the code that is being run put it there
        if not self.holds(path):
            raise ImportError(path)  # the next hook's
        if os.path.isfile(path) and self._permission is not None:  # modules in a zip file
            raise self._permission.refused(path)
        hook = FileFinder.path_hook(
            (self._loading(_ExtensionLoader), EXTENSION_SUFFIXES),
            (self._loading(_SourceLoader), SOURCE_SUFFIXES),
        )
        return hook(path)

    def holds(self, path: str) -> bool:
        """Return whether modules in a folder are this one's, rather than the environment's."""
        path = os.path.abspath(path)
        own = _longest(path, self.roots)
        return own > 0 and own > _longest(path, self._known)

    def load(self, name: str, path: Path) -> ModuleType:
        """Run a file as a module of a name, which is among the loaded ones from then on."""
        loader = self._loading(_SourceLoader)(name, str(path))
        spec = cast(ModuleSpec, spec_from_file_location(name, path, loader=loader))
        module = module_from_spec(spec)
        # Dataclasses and others look their module up while it is still being run.
        sys.modules[name] = module
        try:
            loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name, None)
            raise
        return module

    def check(self, path: str, content: bytes) -> str:
        """Return the digest of what is about to be run; raise the permission's error otherwise."""
        path, found = os.path.abspath(path), digest(content)
        if self._permission is not None and self._permission.files.get(path) != found:
            raise self._permission.refused(path)
        return found

    def _loading(self, kind: Any) -> Any:
        def made(name: str, path: str) -> object:
            loader = kind(name, path)
            loader.source = self
            return loader

        return made


class _SourceLoader(SourceFileLoader):
    source: _Source
    digest: str | None = None

    def get_code(self, fullname: str) -> CodeType:
        content = self.get_data(self.path)
        self.digest = self.source.check(self.path, content)
        return compile(content, self.path, "exec", dont_inherit=True)


class _ExtensionLoader(ExtensionFileLoader):
    source: _Source
    digest: str | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        self.digest = self.source.check(self.path, Path(self.path).read_bytes())
        return super().create_module(spec)


def _longest(path: str, folders: list[str]) -> int:
    """Return the length of the longest of the folders that a path lies in; 0 without any."""
    return max((len(one) for one in folders if Path(path).is_relative_to(one)), default=0)

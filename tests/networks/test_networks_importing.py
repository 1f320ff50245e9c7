"""Importing a user's Python: from source, with a record, and only what is permitted."""

import sys
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode, compile

import pytest

from netstitch.errors import DataError
from netstitch.networks.sources.functions import call_function, locate
from netstitch.networks.sources.importing import Permission, digest, files_run, permitting

MODULES = ("importing_pack", "importing_pack.late", "importing_aside", "importing_lib")
MAIN = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parent.parent / "lib"))
import importing_aside, importing_lib

def make():
    def later():
        from importing_pack import late
        return late.VALUE
    return later
"""


@pytest.fixture(autouse=True)
def as_in_a_new_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    forget()


def forget() -> None:
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder with a file, a module and a package beside it, and a module elsewhere."""
    folder = tmp_path / "code"
    (folder / "importing_pack").mkdir(parents=True)
    (tmp_path / "lib").mkdir()
    (folder / "main.py").write_text(MAIN)
    (folder / "importing_aside.py").write_text("import importing_pack\n")
    (folder / "importing_pack" / "__init__.py").write_text("")
    (folder / "importing_pack" / "late.py").write_text("VALUE = 1\n")
    (tmp_path / "lib" / "importing_lib.py").write_text("")
    return folder


def permission(code: Path) -> Permission:
    """Return the code that a call ran, and its later state, as a permission."""
    assert call_function("main.py:make", folder=code)() == 1
    files = files_run(code)
    forget()
    name = locate("main.py:make", code).name
    return Permission(frozenset({name}), files, lambda what: DataError(f"{what} may not be run"))


def test_all_that_is_run_is_recorded(code: Path) -> None:
    files = permission(code).files
    expected = [
        "code/importing_aside.py", "code/importing_pack/__init__.py",
        "code/importing_pack/late.py", "code/main.py", "lib/importing_lib.py",
    ]  # fmt: skip
    assert sorted(str(Path(file).relative_to(code.parent)) for file in files) == expected
    assert files[str(code / "main.py")] == digest(MAIN.encode())


def test_what_was_run_may_be_run_again(code: Path) -> None:
    with permitting(permission(code)):
        assert call_function("main.py:make", folder=code)() == 1


@pytest.mark.parametrize(
    "name", ["code/main.py", "code/importing_aside.py", "lib/importing_lib.py"]
)
def test_other_contents_may_not(code: Path, name: str) -> None:
    allowed = permission(code)
    with (code.parent / name).open("a") as file:
        file.write("raise AssertionError\n")
    with permitting(allowed), pytest.raises(DataError, match=f"{name} may not be run"):
        call_function("main.py:make", folder=code)


def test_nor_what_is_imported_when_the_call_is_over(code: Path) -> None:
    allowed = permission(code)
    with permitting(allowed):
        later = call_function("main.py:make", folder=code)
    (code / "importing_pack" / "late.py").write_text("raise AssertionError\n")
    with pytest.raises(DataError, match=r"late\.py may not be run"):
        later()


def test_nor_a_module_that_takes_anothers_place(code: Path) -> None:
    allowed = permission(code)
    (code / "importing_lib.py").write_text("raise AssertionError\n")
    (code.parent / "lib" / "importing_lib.py").unlink()
    with permitting(allowed), pytest.raises(DataError, match=r"code/importing_lib\.py may not"):
        call_function("main.py:make", folder=code)


def test_nor_another_function(code: Path) -> None:
    allowed = permission(code)
    with permitting(allowed):
        for spec in ("main.py:other", "importing_aside:make", "os:getcwd"):
            with pytest.raises(DataError, match="may not be run"):
                call_function(spec, folder=code)


def test_bytecode_is_neither_read_nor_written(code: Path, tmp_path: Path) -> None:
    call_function("main.py:make", folder=code)
    assert not list(code.rglob("*.pyc"))
    forget()
    (tmp_path / "evil.py").write_text("raise AssertionError\n")
    place = code / "__pycache__" / f"importing_aside.{sys.implementation.cache_tag}.pyc"
    compile(
        str(tmp_path / "evil.py"), str(place), invalidation_mode=PycInvalidationMode.UNCHECKED_HASH
    )
    call_function("main.py:make", folder=code)


def test_modules_of_the_environment_are_no_part_of_it(code: Path) -> None:
    (code / "other.py").write_text("import wave\nmake = dict\n")
    assert call_function("other.py:make", folder=code) == {}
    assert [Path(file).name for file in files_run(code)] == ["other.py"]

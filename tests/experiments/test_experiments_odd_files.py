"""Experiment files as editors, scripts and accidents write them."""

import codecs
import os
from pathlib import Path
from typing import Any

import pytest

from netstitch.errors import ExperimentError
from netstitch.experiments import read_experiment
from netstitch.experiments.experiment_file import LARGEST

TEXT = """
[[networks]]
model = "models.py:a"
[[networks]]
model = "models.py:b"
[task]
classes = 3
training = { source = "train.npz" }
validation = { source = "val.npz" }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "e.toml"


def refused(file: Path) -> str:
    with pytest.raises(ExperimentError) as caught:
        read_experiment(file)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 1500
    return message


@pytest.mark.parametrize("content", [
    codecs.BOM_UTF8 + TEXT.encode(),
    TEXT.replace("\n", "\r\n").encode(),
    codecs.BOM_UTF8 + TEXT.replace("\n", "\r\n").encode(),
])  # fmt: skip
def test_as_windows_saves_it(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert read_experiment(file).task.classes == 3


@pytest.mark.parametrize("encoding, name", [
    ("utf-16", "UTF-16"), ("utf-32", "UTF-32"), ("utf-16-le", "UTF-16"), ("utf-32-be", "UTF-32"),
])  # fmt: skip
def test_other_encodings_are_named(file: Path, encoding: str, name: str) -> None:
    file.write_bytes(TEXT.encode(encoding))
    assert name in refused(file)
    assert "UTF-8" in refused(file)


def test_latin_text_and_binary_files(file: Path) -> None:
    file.write_bytes(f'name = "é"\n{TEXT}'.encode("latin-1"))
    assert "no text in UTF-8" in refused(file)
    file.write_bytes(bytes(range(256)))
    assert str(file) in refused(file)
    file.write_bytes(b"\0" * 1000)
    assert str(file) in refused(file)


@pytest.mark.parametrize("content, words", [
    ("", "lacks the key"),
    ("x = " + "[" * 5000 + "]" * 5000, "too deep"),
    ("x" + ".x" * 100_000 + " = 1", "too deep"),
    ("x = {" + "y." * 100_000 + "z = 1}", "too deep"),
    ("x = " + "{x = " * 2000 + "1" + "}" * 2000, "too deep"),
    ("seed = " + "9" * 5000, "no valid TOML"),
    ("seed = " + "9" * 30, "seed is a whole number of more than 64 bits"),
    ("seed = nan", "seed is nan"),
    ("seed = 2020-01-01", "seed is datetime.date(2020, 1, 1)"),
    ("seed = 1\nseed = 2", "no valid TOML"),
    ("k" * 100_000 + " = 1", "has no setting 'kkkk"),
    ('name = "' + "n" * 5000 + '"', "name is a text of 5,000 characters"),
    ('data = "a\\u0000b"', "data has the character 0"),
])  # fmt: skip
def test_odd_values_are_one_line(file: Path, content: str, words: str) -> None:
    file.write_text(f"{content}\n{TEXT if content else ''}")
    assert words in refused(file)


def test_long_paths_are_named_by_their_key(file: Path) -> None:
    file.write_text(TEXT.replace("val.npz", "v" * 5000))
    assert "task.validation.source is a text of 5,000 characters" in refused(file)
    file.write_text(TEXT.replace("val.npz", "v/" * 2500))
    assert "task.validation.source" in refused(file)
    file.write_text(TEXT.replace("models.py:b", f"{'m' * 300}.py:b"))
    assert "networks[2].model" in refused(file)


def test_what_is_no_file(file: Path, tmp_path: Path) -> None:
    assert "is a directory" in refused(tmp_path)
    assert "a pipe or a device" in refused(Path("/dev/zero"))
    os.mkfifo(file)
    assert "a pipe or a device" in refused(file)
    file.unlink()
    with file.open("wb") as opened:
        opened.truncate(LARGEST + 1)
    assert "MB; expected an experiment file" in refused(file)
    assert "cannot be read (file name too long)" in refused(tmp_path / ("n" * 300))
    assert "is not there" in refused(tmp_path / "none.toml")


def test_a_folder_of_nobody_is_taken_as_it_is_written(file: Path) -> None:
    file.write_text(f'folder = "~nobody-of-that-name/x"\n{TEXT}')
    assert read_experiment(file).folder == str(file.parent / "~nobody-of-that-name" / "x")


def test_a_name_that_is_not_utf_8_is_refused_at_once(tmp_path: Path) -> None:
    folder: Any = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("the file system has no such names")
    (folder / "e.toml").write_text(TEXT)
    with pytest.raises(Exception, match=r"\\xff/e\.toml has a name that is not UTF-8"):
        read_experiment(folder / "e.toml")

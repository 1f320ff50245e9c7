"""Documents are read as they were written, or refused in one line that names the entry."""

import json
from pathlib import Path

import pytest

from netstitch.errors import StorageError
from netstitch.files.documents import Count, Document, Share, read_as


class Part(Document):
    name: str
    sizes: tuple[Count, ...] = ()


class Whole(Document):
    share: Share
    parts: tuple[Part, ...]


GOOD = {"format": "whole-1", "share": 0.5, "parts": [{"name": "a", "sizes": [3]}]}


def read(path: Path, text: str) -> Whole:
    path.write_text(text)
    return read_as(path, "whole-1", Whole)


def test_a_document(tmp_path: Path) -> None:
    found = read(tmp_path / "d.json", json.dumps(GOOD | {"later": 1}))
    assert found == Whole(share=0.5, parts=(Part(name="a", sizes=(3,)),))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"share": 1.5}, "share is 1.5, and it should be less than or equal to 1"),
        ({"share": "0.5"}, "share is '0.5', and it should be a valid number"),
        ({"share": True}, "share is True, and it should be a valid number"),
        ({"parts": [{}]}, "it does not say 'parts.0.name'"),
        ({"parts": [{"name": "a", "sizes": [1.0]}]}, "parts.0.sizes.0 is 1.0, and it should be"),
        ({"parts": [{"name": "a", "sizes": [2**63]}]}, "parts.0.sizes.0 is 9223372036854775808"),
        ({"parts": [{"name": 7}]}, "parts.0.name is 7, and it should be a valid string"),
        ({"format": "whole-2"}, "has format 'whole-2'; this version reads 'whole-1'"),
    ],
)
def test_the_entry_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(StorageError) as raised:
        read(tmp_path / "d.json", json.dumps(GOOD | change))
    assert message in str(raised.value)
    assert "d.json" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_text_that_is_no_unicode_can_be_told(tmp_path: Path) -> None:
    found = read(tmp_path / "d.json", json.dumps(GOOD | {"parts": [{"name": "\udcff.pt"}]}))
    assert found.parts[0].name == "?.pt"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5000])
def test_numbers_are_finite_anywhere(tmp_path: Path, number: str) -> None:
    text = json.dumps(GOOD | {"later": 12345}).replace("12345", number)
    with pytest.raises(StorageError, match=r"d\.json cannot be read as JSON"):
        read(tmp_path / "d.json", text)

"""Options: amounts as people write them, and names of new folders."""

from pathlib import Path

import pytest

from netstitch.cli.options import free_folder, parse_amount
from netstitch.errors import SearchError


@pytest.mark.parametrize(
    "text, value",
    [
        ("5M", 5e6),
        ("1.2G", 1.2e9),
        ("800k", 8e5),
        ("800 K", 8e5),
        ("42", 42.0),
        ("4e6", 4e6),
        ("2T", 2e12),
        (" 3m ", 3e6),
    ],
)
def test_amounts(text: str, value: float) -> None:
    assert parse_amount(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("text", ["", "M", "-5M", "0", "5X", "5 M M", "1e999", "nan", "five", "٣M"])
def test_what_is_no_amount(text: str) -> None:
    with pytest.raises(SearchError, match="expected such as 5M"):
        parse_amount(text)


def test_the_first_name_that_is_free(tmp_path: Path) -> None:
    wanted = tmp_path / "run"
    assert free_folder(wanted) == wanted
    wanted.mkdir()
    (tmp_path / "run-2").write_text("a file")
    assert free_folder(wanted) == tmp_path / "run-3"

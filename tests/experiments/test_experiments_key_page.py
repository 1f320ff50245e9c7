"""The page of all keys is what the declarations say."""

import json
from pathlib import Path

from netstitch.experiments.experiment import Experiment
from netstitch.experiments.key_page import key_page, key_texts
from netstitch.files.settings import settings_fields

ROOT = Path(__file__).parents[2]
PAGE, TEXTS = ROOT / "docs" / "keys.md", ROOT / "netstitch" / "cli" / "key_texts.json"
COMMAND = "run python -m netstitch.experiments.key_page docs/keys.md netstitch/cli/key_texts.json"


def test_the_page_in_the_docs_is_the_one_that_the_declarations_make() -> None:
    assert PAGE.read_text(encoding="utf-8") == key_page(), COMMAND


def test_options_of_the_command_line_say_what_the_declarations_say() -> None:
    assert json.loads(TEXTS.read_text()) == key_texts(), COMMAND


def test_every_key_of_the_top_level_is_on_it() -> None:
    for name in settings_fields(Experiment):
        assert f"| `{name}` |" in key_page()


def test_kinds_bounds_and_defaults_are_on_it() -> None:
    lines = key_page().splitlines()
    assert any(line.startswith("| `threads` | whole number ≥ 0 | `0` | Batches") for line in lines)
    assert any(line.startswith("| `holdout` | number > 0, ≤ 0.5 | `0.125` |") for line in lines)
    assert any(line.startswith("| `stages` | `2` or `3` | `2` |") for line in lines)
    assert any(line.startswith("| `source` | text | **required** |") for line in lines)
    assert any(line.startswith("| `networks` | `[[networks]]` | **required** |") for line in lines)
    assert not any(line.startswith("| `seed` |") for line in lines[30:])

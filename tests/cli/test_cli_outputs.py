"""Networks that end in probabilities: refused beside logits, and taken for what they are."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli_examples import Caller

from netstitch.supernet.supernet_loading import load_supernet

SOFT = """

class Soft(Chain):
    def forward(self, x):
        return super().forward(x).softmax(1)


def soft():
    return Soft(6, 4, 6, 5, 5)


def soft_wide():
    return Soft(6, 8, 7, 5)
"""
FEW = ("--evaluations", "12", "--algorithm", "random", "--population", "4")
PROBABILITIES = 'outputs = "probabilities"\n'


@pytest.fixture
def soft(experiment: Path) -> Path:
    """The tiny experiment, of which the second network ends in a softmax."""
    models = experiment.parent / "models.py"
    models.write_text(models.read_text() + SOFT)
    edit(experiment, '"models.py:deep"\n', '"models.py:soft"\n')
    return experiment


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def references(run: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((Path(run) / "front.json").read_text())["references"]
    return found


@pytest.mark.parametrize(
    "command",
    [
        ("run",),
        ("run", "--paper"),
        ("run", "--dry-run"),
        ("match",),
        ("protocol", "--no-sweep"),
    ],
)
def test_probabilities_beside_logits_are_refused(
    netstitch: Caller, soft: Path, command: tuple[str, ...]
) -> None:
    called = netstitch(*command, soft)
    assert called.code == 2
    assert "soft ends in probabilities (softmax) and wide in logits" in called.error
    assert 'outputs = "probabilities"' in called.error
    assert not list(soft.parent.glob("*-run"))


def test_they_are_refused_before_samples_are_labelled_by_them(
    netstitch: Caller, soft: Path
) -> None:
    edit(soft, "classes = 3\n", 'kind = "agreement"\n')
    called = netstitch("run", soft)
    assert called.code == 2
    assert "network 2 of 2 ends in probabilities and others in logits" in called.error


def test_their_logarithm_is_taken_where_the_file_says_what_they_are(
    netstitch: Caller, soft: Path
) -> None:
    edit(soft, '"models.py:soft"\n', f'"models.py:soft"\n{PROBABILITIES}')
    called = netstitch("run", soft, "-o", "soft", *FEW)
    assert called.code == 0, called.err
    edit(soft, f'"models.py:soft"\n{PROBABILITIES}', '"models.py:deep"\n')
    assert netstitch("run", soft, "-o", "raw", *FEW).code == 0
    own, raw = references("soft"), references("raw")
    # Their logarithm differs from logits by a number for each sample, which changes no decision.
    assert [one["validation"] for one in own] == [one["validation"] for one in raw]
    loaded = load_supernet(Path("soft") / "supernet")
    assert loaded.graphs[1].by_name[loaded.graphs[1].outputs[0][1]].operation.startswith("aten.cl")
    assert netstitch("export", "soft", "--max-macs", "1G", "-o", "exported").code == 0


def test_what_is_no_probability_is_not_taken_for_one(netstitch: Caller, experiment: Path) -> None:
    edit(experiment, '"models.py:deep"\n', f'"models.py:deep"\n{PROBABILITIES}')
    called = netstitch("run", experiment)
    assert called.code == 2
    assert 'deep: outputs = "probabilities", and its output holds none' in called.error


def test_networks_that_all_end_in_probabilities_are_told_of_and_go_on(
    netstitch: Caller, soft: Path
) -> None:
    edit(soft, '"models.py:wide"\n', '"models.py:soft_wide"\n')
    called = netstitch("run", soft, "--paper", "-o", "out", *FEW)
    assert called.code == 0, called.err
    assert " ".join(called.out.split()).count("warning: all networks put out probabilities") == 1
    for point in references("out"):
        assert not point.get("cross_entropy")
        assert not point.get("calibration")
    called = netstitch("run", soft, "-o", "refined", *FEW)
    assert called.code == 2
    assert 'outputs = "probabilities"' in called.error

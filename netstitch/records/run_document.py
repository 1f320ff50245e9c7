"""run.json: what was asked of a run, what it began with, and how it ended."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field, model_validator

from netstitch.analysis.dominance import ObjectiveName
from netstitch.analysis.front import ACCURACY
from netstitch.evaluation import NumericsConfig
from netstitch.evaluation.execution_config import Early
from netstitch.files.documents import MOST, Count, Digest, Document, Seconds, validated
from netstitch.files.folders import read_json, write_json
from netstitch.optimization import Stopped
from netstitch.records.run_folder import FORMAT, RUN_FILE
from netstitch.searching.sweep import Swept
from netstitch.version import VERSION


class Outcome(Document):
    """How a search ended; see `SearchResult`.

    accuracy_difference: the largest, of the front's networks, between what the search saw and what
    was measured. form, spread: what it was measured in, and how evaluations were spread.
    """

    stopped: Stopped
    evaluations: Count
    skipped: Count
    failed: Count
    search_seconds: Seconds
    ended_early: Count = 0
    idle: float = 0.0
    accuracy_difference: float = 0.0
    sweep: tuple[Swept, ...] = ()
    form: dict[str, Any] = Field(default_factory=dict)
    spread: dict[str, Any] = Field(default_factory=dict)


class RunDocument(Document):
    """The document.

    asked: an experiment, or what a plan from Python says of itself. matches: how many there are.
    networks, samples: digests by name. fitted, refined: digests of the stitches before and after
    they are refined. files: digests of what is final in the folder, by path. seconds: that steps
    took, by name. form, stitches, early, objective: what evaluations depend on, fixed when the
    search begins. warnings: what was told. signature: over the Python that it ran.
    """

    name: str = ""
    asked: dict[str, Any]
    matches: Count = 0
    written: str = ""
    versions: dict[str, str]
    python: str = ""
    cores: Count = 0
    networks: dict[str, Digest]
    fitted: Digest | None = None
    refined: Digest | None = None
    samples: dict[str, Digest]
    files: dict[str, Digest] = Field(default_factory=dict)
    seconds: dict[str, Seconds]
    form: NumericsConfig | None = None
    stitches: Digest | None = None
    early: Early | None = None
    objective: ObjectiveName = ACCURACY
    outcome: Outcome | None = None
    warnings: list[str] = Field(default_factory=list)
    signature: Any = None

    @model_validator(mode="after")
    def _check(self) -> "RunDocument":
        for name in self.model_fields_set - {"signature"}:
            if getattr(self, name) is None:  # what a run has not come to is left out
                raise ValueError(f"its {name} is none")
        if self.form is not None and self.stitches is None:
            raise ValueError("it does not say 'stitches', though its search began")
        self.seed, self.recalibrate, self.fit_batch  # noqa: B018
        return self

    @property
    def seed(self) -> int | None:
        """Of the run, where it says one."""
        return _whole("asked.seed", self.asked.get("seed"))

    @property
    def recalibrate(self) -> int:
        """Training samples that its search recalibrated each subnetwork on; 0 where it did not."""
        table = self.asked.get("evaluation")
        asked = table.get("recalibrate") if isinstance(table, dict) else None
        return _whole("asked.evaluation.recalibrate", asked) or 0

    @property
    def fit_batch(self) -> int | None:
        """Samples a step that stitches were trained on, where it says so."""
        table = self.asked.get("fit")
        asked = table.get("batch_size") if isinstance(table, dict) else None
        return _whole("asked.fit.batch_size", asked, least=1)

    @property
    def stopped(self) -> Stopped | None:
        """How the search ended; None before it did."""
        return None if self.outcome is None else self.outcome.stopped

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return self.stopped not in (None, "interrupted")


def _whole(name: str, value: Any, least: int = 0) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not least <= value <= MOST:
        raise ValueError(f"{name} is {value!r:.80}, and should be a number of {least} or more")
    return value


def read_document(folder: Path) -> RunDocument:
    """Read run.json of a run; raises StorageError where there is none, or it is not whole."""
    path = folder / RUN_FILE
    document = read_json(path, FORMAT)
    found = validated(document, RunDocument, path)
    # Names of files to the byte, of which a model would keep what is Unicode.
    return found.model_copy(update={"asked": document["asked"]})


def update_document(folder: Path, changes: Mapping[str, Any]) -> None:
    """Replace parts of run.json; what this version does not know stays as it is."""
    path = folder / RUN_FILE
    document = read_json(path, FORMAT) | dict(changes)
    validated(document, RunDocument, path)
    write_json(path, document)


def keep_warnings(folder: Path, warnings: Sequence[str]) -> None:
    """Add to run.json what a run was warned of, each line once."""
    before = read_document(folder).warnings
    if set(warnings) - set(before):
        update_document(folder, {"warnings": list(dict.fromkeys([*before, *warnings]))})


def versions() -> dict[str, str]:
    """Return what decides on the numbers that a run computes."""
    return {"netstitch": VERSION, "torch": torch.__version__}

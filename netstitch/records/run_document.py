"""run.json: the settings of a run, what it began with, and how it ended; its state in words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasPath, Field, ValidationError, model_validator

from netstitch.analysis.front_point import ACCURACY, ObjectiveName
from netstitch.costs import MULTIPLY_ADDS
from netstitch.errors import ExperimentError, StorageError
from netstitch.evaluation import NumericsConfig
from netstitch.evaluation.execution_config import Early
from netstitch.experiments import Experiment
from netstitch.files.documents import MOST, Count, Digest, Document, Seconds, problem, validated
from netstitch.files.folders import LOCK, read_json, write_json
from netstitch.optimization import Stopped
from netstitch.records.run_folder import FORMAT, REFINING, RUN_FILE, is_running
from netstitch.searching.sweep import Swept
from netstitch.text import command


class CascadesOutcome(Document):
    """The cascades of a run's front.

    Attributes:
        found: Whether they are in the front; else they are what is left of the run.
        settings: Those of `CascadeSettings`, as plain data.
    """

    found: bool
    settings: dict[str, object]


class Outcome(Document):
    """The end of a run; what is not named here is as of `SearchResult`.

    Attributes:
        accuracy_difference: The largest, of the front's networks, between what the search saw and
            what was measured.
        sweep: Each population size, in short.
        spread: How evaluations were spread over processes and devices.
        cascades: None where there are to be none.
    """

    stopped: Stopped
    evaluations: Count
    skipped: Count
    unchanged: Count
    failed: Count
    search_seconds: Seconds
    ended_early: Count = 0
    idle: float = 0.0
    accuracy_difference: float = 0.0
    sweep: tuple[Swept, ...] = ()
    spread: dict[str, object] = Field(default_factory=dict)
    cascades: CascadesOutcome | None = None

    @property
    def lacks_cascades(self) -> bool:
        """True where the search ended and its cascades are still to be found."""
        ended = self.stopped != "interrupted"
        return ended and self.cascades is not None and not self.cascades.found

    @property
    def done(self) -> bool:
        """True where nothing is left to do."""
        return self.stopped != "interrupted" and not self.lacks_cascades


class RecordedSettings(Document):
    """Settings that every run has, those from Python too; others are not looked at.

    Attributes:
        batch_size: Images of a training step, where there were such.
        recalibrate: Training samples that each subnetwork was recalibrated on; 0 for none.
    """

    seed: Count | None = None
    batch_size: Annotated[int, Field(ge=1, le=MOST)] | None = Field(
        default=None, validation_alias=AliasPath("fit", "batch_size")
    )
    recalibrate: Count = Field(default=0, validation_alias=AliasPath("evaluation", "recalibrate"))


class RunDocument(Document):
    """The document.

    Attributes:
        config: The experiment as plain data, or the settings of a run from Python.
        written: When the run began, in ISO 8601.
        versions: Of the packages that decide on its numbers.
        networks: Digests by name, as `samples` are by part.
        fitted: Digest of the stitches before they are refined.
        refined: Digest of the stitches after that.
        files: Digests of what is final in the folder, by path.
        seconds: That steps took, by name.
        form: The numerical form of evaluations, fixed as what follows when the search begins.
        stitches: Digest of the stitches that are searched.
        early: When evaluations end early.
        objective: What the search makes large, as `cost` is what it makes small.
        signature: Over the Python that it ran, see `trust`.
    """

    name: str = ""
    config: dict[str, Any]
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
    cost: str = MULTIPLY_ADDS.name
    outcome: Outcome | None = None
    warnings: list[str] = Field(default_factory=list)
    signature: object = None

    @model_validator(mode="after")
    def _check(self) -> "RunDocument":
        for name in self.model_fields_set - {"signature"}:
            if getattr(self, name) is None:  # what a run has not come to is left out
                raise ValueError(f"its {name} is none")
        if self.form is not None and self.stitches is None:
            raise ValueError("it does not say 'stitches', though its search began")
        try:
            _ = self.settings
        except ValidationError as error:
            raise ValueError(f"in config, {problem(error)}") from None
        return self

    @property
    def settings(self) -> RecordedSettings:
        """The settings that any run has."""
        return RecordedSettings.model_validate(self.config)

    def experiment(self, run: Path) -> Experiment:
        """Return the experiment that the run is of; `run` is its folder.

        Raises:
            StorageError: It was begun from Python, or asks for what this version does not do.
        """
        if not {"networks", "task"} <= self.config.keys():
            raise StorageError(
                f"{run / RUN_FILE} does not say which experiment the run is of, since it was begun "
                "from Python; go on there with its samples (netstitch.runs.run.resume, or "
                "ns.export(..., recalibrate=batches))"
            )
        try:
            return Experiment(**self.config)
        except ExperimentError as error:
            raise StorageError(
                f"{run / RUN_FILE} asks for what this version does not do: {error}; go on "
                "with the version that wrote it, or run anew"
            ) from None

    @property
    def config_of_front(self) -> dict[str, object]:
        """The config, with the settings that the cascades of the front were found with."""
        found = None if self.outcome is None else self.outcome.cascades
        if found is None or not found.found:
            return self.config
        settings = {name: value for name, value in found.settings.items() if value is not None}
        return {**self.config, "cascades": settings}

    @property
    def stopped(self) -> Stopped | None:
        """The end of the search; None before it ended."""
        return None if self.outcome is None else self.outcome.stopped

    @property
    def done(self) -> bool:
        """True where the run has nothing left to do."""
        return self.outcome is not None and self.outcome.done


def read_document(folder: Path) -> RunDocument:
    """Return run.json of a run; raise StorageError where there is none, or it is not whole."""
    path = folder / RUN_FILE
    document = read_json(path, FORMAT)
    found = validated(document, RunDocument, path)
    # The config as it was read: the model would alter file names that are not UTF-8.
    return found.model_copy(update={"config": document["config"]})


def write_document(folder: Path, document: RunDocument) -> None:
    """Write run.json of a run."""
    known = {name: value for name, value in document.model_dump().items() if value is not None}
    write_json(folder / RUN_FILE, {"format": FORMAT} | known)


def update_document(folder: Path, changes: Mapping[str, object]) -> None:
    """Replace parts of run.json; entries that this version does not know stay as they are."""
    path = folder / RUN_FILE
    document = read_json(path, FORMAT) | dict(changes)
    validated(document, RunDocument, path)
    write_json(path, document)


def keep_warnings(folder: Path, warnings: Sequence[str]) -> None:
    """Add warnings to run.json, each line once."""
    before = read_document(folder).warnings
    if set(warnings) - set(before):
        update_document(folder, {"warnings": list(dict.fromkeys([*before, *warnings]))})


def state_of(run: Path, document: RunDocument, *, running: bool) -> str:
    """Return the state of a folder's run, such as "searching" or "stopped while it searched"."""
    if document.done:
        return f"done, its search ended by {document.stopped}"
    if document.outcome is not None and document.outcome.lacks_cascades:
        return "finding cascades" if running else "stopped while it found cascades"
    if document.form is not None:
        return "searching" if running else "stopped while it searched"
    if running and document.refined is not None:
        return "fitting exits"
    if (run / REFINING).exists() or running:
        return "refining" if running else "stopped while it refined"
    return "stopped before it searched"


def how_on(run: Path, *, running: bool) -> str:
    """Return the way to go on with a run that is not done, as the rest of a sentence."""
    if running:
        return f"wait until it is done, {command('status', run)} tells how far it is"
    return f"{command('resume', run)} goes on"


def check_begun(run: Path) -> None:
    """Raise StorageError where a folder is of a run that has nothing to show or go on with yet."""
    if (run / RUN_FILE).exists():
        return
    if is_running(run):
        raise StorageError(
            f"{run} is of a run that captures, matches and fits: there is nothing to show yet; "
            f"{how_on(run, running=True)}"
        )
    if (run / LOCK).exists():
        raise StorageError(
            f"{run} is of a run that was stopped before its stitches were fitted, so that there is "
            "nothing to go on with; remove the folder, and run anew"
        )

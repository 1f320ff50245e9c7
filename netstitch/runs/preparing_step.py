"""The steps of a run before its search: a supernet with fitted and refined stitches in a folder.

Nothing is written before the stitches are fitted, so that bad input leaves nothing.
"""

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from torch import nn

from netstitch.errors import DataError
from netstitch.events import FolderOpened, Listener, Message, StageBegan, advancing
from netstitch.experiments import RunSettings
from netstitch.files.folders import write_text
from netstitch.fitting import check_refining
from netstitch.records import (
    RunDocument,
    network_digests,
    sample_digests,
    stitches_digest,
    versions,
    write_document,
)
from netstitch.records.digests import digests_of
from netstitch.records.run_folder import STITCHES, SUPERNET
from netstitch.records.trust import signed
from netstitch.records.unchanged import FILES, note_files
from netstitch.runs.preparing import capture_all, match_all
from netstitch.runs.refining_step import refine_and_save
from netstitch.runs.step_times import adding, timed
from netstitch.searching.reference_doubts import doubts
from netstitch.searching.search_arguments import scored_by
from netstitch.stitching import Averaging
from netstitch.supernet.stitch_table import stitch_table
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task
from netstitch.threads import available_cores


def training_samples(settings: RunSettings, task: Task) -> Samples:
    """Return the training samples in the run's order; DataError where there are none."""
    if task.training is None:
        raise DataError(
            "the task has no training samples; give some to fit the stitches on, other ones than "
            "those that the search sees"
        )
    return task.training.shuffled(settings.seed)


def prepare_folder(
    settings: RunSettings,
    models: Sequence[tuple[str, nn.Module]],
    task: Task,
    training: Samples,
    folder: Path,
    listener: Listener,
) -> Supernet:
    """Return the supernet, fitted and refined, after writing it into the run's folder."""
    seconds: dict[str, float] = {}
    supernet = _prepared(settings, models, task, training, listener, seconds)
    supernet.save(folder / SUPERNET)
    write_text(folder / STITCHES, stitch_table(supernet))
    document = _document(
        settings, supernet, task, folder, seconds, signed(settings.config, listener)
    )
    # From here on there is something to go on with, whatever ends this.
    write_document(folder, document)
    listener(FolderOpened(folder))
    refine_run(settings, supernet, training, folder, listener)
    return supernet


def _prepared(
    settings: RunSettings,
    models: Sequence[tuple[str, nn.Module]],
    task: Task,
    training: Samples,
    listener: Listener,
    seconds: dict[str, float],
) -> Supernet:
    """Return the supernet with its stitches fitted; `seconds` are given those of each step."""
    with timed(seconds, "capture"):
        networks = capture_all(models, task, listener)
    for network in networks:
        network.to(settings.evaluation.here)
    with timed(seconds, "match"):
        matching = match_all(networks, listener, settings.matching)
    supernet = Supernet(networks, matching, averaging=Averaging(task.ensemble))
    scored_by(settings.search.objective, supernet, task)  # what cannot be is known before the work
    if settings.refine.enabled:
        check_refining(supernet, settings.refine)
    for line in doubts(supernet, task):
        listener(Message(line, warning=True))
    with timed(seconds, "fit"):
        _fit(supernet, training, settings, listener)
    return supernet.to("cpu")


def _fit(supernet: Supernet, training: Samples, settings: RunSettings, listener: Listener) -> None:
    listener(StageBegan("fit"))
    report = supernet.fit(
        training.batches(settings.fit.batch), progress=advancing(listener), **settings.fit_settings
    )
    errors = sorted(row.relative_error for row in report.rows if row.relative_error is not None)
    middle = errors[len(errors) // 2] if errors else float("nan")
    stitches, samples = len(report.rows), report.samples
    listener(
        Message(f"{stitches} stitches on {samples:,} samples, median held-out error {middle:.2f}")
    )


def _document(
    settings: RunSettings,
    supernet: Supernet,
    task: Task,
    folder: Path,
    seconds: Mapping[str, float],
    signature: Mapping[str, Any] | None,
) -> RunDocument:
    return RunDocument(
        name=settings.name,
        config=settings.config,
        matches=len(supernet.matching),
        written=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=versions(),
        python=platform.python_version(),
        cores=available_cores(),
        networks=network_digests(folder, supernet.names),
        fitted=stitches_digest(folder),
        samples=sample_digests(task),
        files=digests_of(folder, FILES),
        seconds={name: round(value, 2) for name, value in seconds.items()},
        signature=signature,
    )


def refine_run(
    settings: RunSettings, supernet: Supernet, training: Samples, folder: Path, listener: Listener
) -> None:
    """Refine the stitches of the run in a folder, where that is asked for."""
    if settings.refine_settings is None:
        return
    with adding(folder, "refine"):
        listener(StageBegan("refine"))
        supernet.to(settings.evaluation.here)
        refine_and_save(
            supernet,
            training,
            settings.refine_settings,
            run=folder,
            folder=folder / SUPERNET,
            batch=settings.fit.batch,
            listener=listener,
        )
        supernet.to("cpu")
        note_files(folder)

"""The refining step of a run, which can be gone on with and saves its result over the fit's."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from netstitch.events import Listener, Message, advancing
from netstitch.files.folders import write_bytes, write_json
from netstitch.fitting import RefineReport
from netstitch.networks.network_files import weights_content
from netstitch.records import note_refined
from netstitch.records.run_folder import REFINING
from netstitch.supernet.storage import REFINE, REFINE_FILE, STITCHES_FILE
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples
from netstitch.text import command


def refine_and_save(
    supernet: Supernet,
    training: Samples,
    settings: Mapping[str, Any],
    *,
    run: Path,
    folder: Path,
    batch: int,
    listener: Listener,
) -> None:
    """Refine, and save what came of it over what was fitted; after Ctrl-C, say how to go on.

    Args:
        supernet: With fitted stitches.
        training: Samples in the run's order.
        settings: Of `Supernet.refine`.
        run: The folder of the run.
        folder: Of the supernet as it was fitted.
        batch: Samples that are read at once.
        listener: Told how far it is, and what came of it.
    """
    batches = zip(training.batches(batch), torch.split(training.labels, batch), strict=True)
    try:
        report = supernet.refine(
            batches, checkpoint=run / REFINING, progress=advancing(listener), **dict(settings)
        )
    except KeyboardInterrupt:
        listener(Message("the fitted stitches and how far refining got are kept; to go on:"))
        listener(Message(command("resume", run)))
        raise
    _save_refined(supernet, report, run, folder)
    for line in _what_came_of(report):
        listener(Message(line))


def _save_refined(supernet: Supernet, report: RefineReport, run: Path, folder: Path) -> None:
    """Write what refining changes, each file in one step: a reader finds a supernet any time."""
    content = weights_content(supernet.stitch_weights())
    note_refined(run, content)  # first, so that stitches that are not noted are changed ones
    write_bytes(folder / STITCHES_FILE, content)
    write_json(folder / REFINE_FILE, {"format": REFINE} | report.to_json())


def _what_came_of(report: RefineReport) -> Iterator[str]:
    rows = [row for row in report.rows if row.before is not None and row.after is not None]
    before = sum(row.before or 0.0 for row in rows) / len(rows)
    after = sum(row.after or 0.0 for row in rows) / len(rows)
    several = ""
    if report.several_before is not None and report.several_after is not None:
        several = f", with four {report.several_before:.3f} to {report.several_after:.3f}"
    worse = sum(row.kept and (row.after or 0.0) > (row.before or 0.0) for row in rows)
    yield (
        f"{sum(row.kept for row in rows)} of {len(report.rows)} stitches improved in "
        f"{report.steps} steps, loss {before:.3f} to {after:.3f}{several}"
        + (f"; {worse} of them slightly worse on other images" if worse else "")
        + (f"; {report.left_out:,} images did not fit into memory" if report.left_out else "")
    )
    for row in report.rows:
        if row.diverged is not None:
            yield (
                f"stitch of match {row.match} to {row.target.point} diverged in step "
                f"{row.diverged}, and was put back"
            )

"""Refine: train stitches so that the networks they make behave as they should.

The first stage makes a stitch's features like its target's. What matters is what comes out, and a
small error of features at an early point can be a large one there (named as the limit of stitching
by feature matching in arXiv 2603.12433). So sampled subnetworks are compared with their teachers,
the networks whose outputs they stand for, and the stitches follow the gradient; the basis networks
stay as they are, in evaluation behaviour. No labels are needed.
"""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import torch

from netstitch.errors import FittingError
from netstitch.events import Listener, warn
from netstitch.fitting.feature_stream import Batch, Layer, ProgressCallback, check_stitches
from netstitch.fitting.refinement.branch_subnetworks import BranchSubnetwork, BranchSubnetworks
from netstitch.fitting.refinement.refine_images import read_parts
from netstitch.fitting.refinement.refine_log import RefineLog, checkpoint_of
from netstitch.fitting.refinement.refine_report import RefineReport, StitchRefined
from netstitch.fitting.refinement.refine_settings import RefineSettings
from netstitch.fitting.refinement.refine_training import SIDES, Training
from netstitch.fitting.refinement.sampler import with_active
from netstitch.fitting.refinement.stitch_selection import choose, compare, make_judge, mean_of
from netstitch.fitting.refinement.union_graph import UnionGraph
from netstitch.fitting.stitch_layers import write_layers
from netstitch.threads import available_cores, batch_workers

PANEL, FOUR = 32, 4
"""Subnetworks that choosing and reporting look at beside single stitches, and the active stitches
of each."""

CURVE_IMAGES, CURVE_BRANCHES = 64, 8
"""Images, and subnetworks of four stitches and of one each, of the held-out curve."""

JUDGED, FEWEST_JUDGED = 256, 32
"""Images that choosing and reporting look at, each: at most, and at least where there are so
many."""

JUDGED_TOGETHER = 16_384
"""Images through single stitches, about: more stitches are judged on fewer images each, so that
judging costs no more than training."""

STEPS, STEPS_EACH = 300, 5
"""Steps, at least and for each stitch, where neither steps nor seconds are given."""


def refine(
    union: UnionGraph,
    layers: Sequence[Layer],
    batches: Iterable[Batch],
    *,
    checkpoint: Path | str | None = None,
    checkpoint_seconds: float = 30.0,
    progress: ProgressCallback | None = None,
    listener: Listener = warn,
    **settings: object,
) -> RefineReport:
    """Train the stitches of a supernet on sampled subnetworks, and keep what got better.

    Training ends at the budget of steps or of seconds, whichever comes first; no step but the first
    begins that, by how long others took, would end more than a twentieth after the seconds. Its
    schedule follows the steps where they are given, and time where they are not. A step is two
    batches, each with its own subnetworks. Reading images and choosing come on top; choosing takes
    about as long as 60 steps. With a budget of steps, runs of one seed are equal bit for bit. A
    stitch whose values become NaN or infinite is put back, left alone, and named in the report.

    Args:
        union: The supernet, its stitches fitted.
        layers: One per stitch; written only at the end.
        batches: Inputs (batch, ...), or (inputs, labels) pairs, read once.
        checkpoint: A file that says how far training is, written regularly and on Ctrl-C, gone on
            from where it exists, and removed at the end. Settings, stitches and images must be
            equal then; steps and seconds may be others, to go on for longer.
        checkpoint_seconds: Seconds between writing it.
        progress: Called at the beginning, after every step, and before stitches are chosen and
            reported on, with steps done, steps in all, estimated where time limits them (None
            where nothing is known yet), and a line of text.
        listener: Told after the first steps how many the time allows. Where these train fewer
            subnetworks than there are stitches, that is a warning, by default one of Python's, and
            as long as it is so, without a budget of steps, only stitches whose loss was the highest
            before are trained.
        **settings: Fields of `RefineSettings`.

    Raises:
        FittingError: A setting is not known or out of bounds, or loss, teacher or images do not
            fit the networks; the layers are then as they were, as they are after Ctrl-C.
        StorageError: The checkpoint cannot be written, is damaged, or of another refining.
    """
    begin = time.monotonic()
    others = ("checkpoint", "checkpoint_seconds", "progress", "listener")
    chosen = RefineSettings.from_keywords(settings, others)
    if not isinstance(checkpoint_seconds, int | float):
        raise FittingError(f"checkpoint_seconds is {checkpoint_seconds!r:.80}; expected a number")
    check_stitches(union.stitches, layers)
    if chosen.steps is None and chosen.seconds is None:
        chosen = chosen.model_copy(update={"steps": max(STEPS, STEPS_EACH * len(layers))})
    reported = chosen.model_dump() | ({"loss": "function"} if callable(chosen.loss) else {})
    workers = min(available_cores(), SIDES) if layers[0].weight.device.type == "cpu" else 1
    with torch.inference_mode(False), torch.enable_grad(), batch_workers(workers) as pool:
        branches = BranchSubnetworks(union, chosen)
        parts = read_parts(
            batches,
            holdout=chosen.holdout,
            memory_budget=chosen.memory_budget,
            labels=branches.labelled,
        )
        training = Training(branches, parts)
        singles = [i for i, each in enumerate(training.sampler.singles) if each is not None]
        count = max(FEWEST_JUDGED, min(JUDGED, JUDGED_TOGETHER // max(1, len(singles))))
        choosing, reporting = parts.choose.spread(count), parts.report.spread(count)
        # Stitches are chosen by other subnetworks than are reported on.
        panel, reported_panel = (_panel(training, singles, number) for number in range(2))
        stride = max(1, len(singles) // CURVE_BRANCHES)
        of_curve = [*panel[:CURVE_BRANCHES], *(training.single(i) for i in singles[::stride])]
        quick = make_judge(training, choosing.first(CURVE_IMAGES), pool)
        first = quick([training.single(stitch) for stitch in singles])
        training.gains.begin({s: mean_of(row) for s, row in zip(singles, first, strict=True)})
        file = None if checkpoint is None else checkpoint_of(checkpoint, training, reported)
        log = RefineLog(
            training,
            lambda: mean_of(quick(of_curve)),
            checkpoint=file,
            every=checkpoint_seconds,
            clock=time.monotonic,
            progress=progress,
            listener=listener,
        )
        _train(training, log, pool)
        trained = [i for i in singles if i not in training.gains.closed]
        log.report("choosing stitches")
        kept = choose(training, trained, panel, make_judge(training, choosing, pool))
        log.report("measuring on other images")
        before, after, several = compare(
            training, singles, kept, reported_panel, make_judge(training, reporting, pool)
        )
    write_layers(layers, [(w.detach(), b.detach()) for w, b in branches.leaves])
    if file is not None:
        file.path.unlink(missing_ok=True)
    seen = training.step * SIDES * chosen.batch_size
    return RefineReport(
        settings=reported,
        steps=training.step,
        samples=seen,
        distinct=min(len(parts.train), seen),
        left_out=parts.left_out,
        chosen_on=len(choosing),
        reported_on=len(reporting),
        seconds=time.monotonic() - begin,
        several_before=several[0],
        several_after=several[1],
        curve=tuple(log.curve),
        rows=tuple(
            StitchRefined(
                stitch.match,
                stitch.source,
                stitch.target,
                before=before.get(index),
                after=after.get(index),
                kept=index in kept,
                diverged=training.diverged.get(index),
            )
            for index, stitch in enumerate(union.stitches)
        ),
    )


def _train(training: Training, log: RefineLog, pool: Executor) -> None:
    """Do steps until the budget is spent or no stitch is left to train."""
    try:
        log.begin()
        while not log.spent:
            try:
                loss = training.advance(log.fraction, pool)
            except LookupError:
                break
            log.after(loss)
    finally:
        log.save()  # after Ctrl-C too


def _panel(training: Training, singles: Sequence[int], number: int) -> list[BranchSubnetwork]:
    """Return random subnetworks with four stitches, none where there are not so many."""
    if len(singles) < FOUR:
        return []
    union = training.branches.union
    generator = np.random.default_rng([training.settings.seed, FOUR, number])
    drawn = [with_active(union, generator, FOUR, singles) for _ in range(PANEL)]
    return [training.branches.branch(genotype) for genotype in drawn if genotype is not None]

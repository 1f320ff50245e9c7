"""Refine: train stitches so that the networks they make behave as they should.

The first stage makes a stitch's features like its target's. What matters is what comes out, and a
small error of features at an early point can be a large one there (named as the limit of stitching
by feature matching in arXiv 2603.12433). So sampled subnetworks are compared with their teachers,
the networks whose outputs they stand for, and the stitches follow the gradient; the basis networks
stay as they are, in evaluation behaviour. No labels are needed.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import torch
from torch import nn

from netstitch.errors import FittingError
from netstitch.fitting.feature_stream import Batch, Progress, check_holdout, check_stitches
from netstitch.fitting.fit_report import Setting
from netstitch.fitting.refinement.behaviour_losses import OUTPUTS, LabelLoss
from netstitch.fitting.refinement.branch_subnetworks import OWN, BranchSubnetwork, BranchSubnetworks
from netstitch.fitting.refinement.custom_gradient import arranged, leaves_of
from netstitch.fitting.refinement.preconditioner import IMAGES, make_preconditioner
from netstitch.fitting.refinement.refine_checkpoint import fingerprint
from netstitch.fitting.refinement.refine_images import Examples, read_parts
from netstitch.fitting.refinement.refine_log import RefineLog
from netstitch.fitting.refinement.refine_report import RefineReport, StitchRefined
from netstitch.fitting.refinement.refine_training import SIDES, Training
from netstitch.fitting.refinement.sampler import with_active
from netstitch.fitting.refinement.stitch_selection import (
    FOUR,
    Judge,
    Losses,
    StitchComparison,
    choose,
    compare,
    losses,
    mean_of,
)
from netstitch.fitting.refinement.union_graph import UnionGraph
from netstitch.fitting.stitch_layers import write_layers
from netstitch.threads import available_cores, batch_workers

PANEL = 32
"""Subnetworks with four stitches that choosing and reporting look at."""

CURVE_IMAGES, CURVE_BRANCHES = 64, 8
"""Images, and subnetworks of four stitches and of one each, of the held-out curve."""

JUDGED, FEWEST_JUDGED, JUDGED_BATCHES = 256, 32, 8
"""Images that choosing and reporting look at, each: at most, and at least where there are so many;
and in how many batches at least."""

JUDGED_TOGETHER = 16_384
"""Images through single stitches, about: more stitches are judged on fewer images each, so that
judging costs no more than training."""

HIGHEST_RATE = 1e30
"""Adam's steps are float32, and it divides the rate by less than 1."""

TOGETHER = 64
"""Images of the batches that are judged on at once, at most."""

STEPS, STEPS_EACH = 300, 5
"""Steps, at least and for each stitch, where neither steps nor seconds are given."""


def refine(
    joined: UnionGraph,
    layers: Sequence[nn.Linear | nn.Conv2d],
    batches: Iterable[Batch],
    *,
    loss: str | LabelLoss = OUTPUTS,
    teacher: str = OWN,
    steps: int | None = None,
    seconds: float | None = None,
    learning_rate: float = 1e-2,
    batch_size: int = 32,
    subnetworks: int = 6,
    holdout: float = 0.125,
    memory_budget: int = 2_000_000_000,
    seed: int = 0,
    checkpoint: Path | str | None = None,
    checkpoint_seconds: float = 30.0,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> RefineReport:
    """Train the stitches of a supernet on sampled subnetworks, and keep what got better.

    joined: the supernet, its stitches fitted. layers: one per stitch; written only at the end.
    batches: inputs (batch, ...), or (inputs, labels) pairs, read once.
    loss: "outputs", "features" or "labels" (see `losses`), or a function of outputs, as the
        network gives them, and labels.
    teacher: "own", the network or ensemble that a subnetwork's output stands for, or the name of
        an output, such as "ensemble", for all.
    steps, seconds: the budget; training ends at whichever comes first. Its schedule follows the
        steps where they are given, and time where they are not. By default 300 steps, or
        5 for each stitch where that is more. A step is two batches, each with its own subnetworks.
        Reading images and choosing come on top; choosing takes about as long as 60 steps.
    learning_rate: of the first step, in units of features that vary by 1; it falls along a cosine.
    batch_size: images of a batch. subnetworks: drawn for each batch.
    holdout: share of the images not trained on; half of them choose, half are reported on.
    memory_budget: bytes, each, of images held, of matrices for the coordinates, and of the
        activations of a step.
    seed: of everything random. With a budget of steps, runs of one seed are equal bit for bit.
    checkpoint: a file that is written every `checkpoint_seconds` and on Ctrl-C, gone on with where
        it exists, and removed at the end.
        Equal are settings, stitches and images; steps and seconds may be others, to go on for
        longer. It holds no path, so it can be moved.
    progress: called at the beginning, after every step, and before stitches are chosen and
        reported on, with steps done, steps in all, guessed where time limits them (None where
        nothing is known yet), and a line of text.

    A stitch whose values become NaN or infinite is put back, left alone, and named in the report.

    Raises FittingError for settings that cannot be used and images that do not fit; the layers are
    then as they were, as they are after Ctrl-C.
    """
    begin = clock()
    check_stitches(joined.stitches, layers)
    check_holdout(holdout)
    if steps is None and seconds is None:
        steps = max(STEPS, STEPS_EACH * len(layers))
    settings: dict[str, Setting] = {
        "loss": loss if isinstance(loss, str) else "function",
        "teacher": teacher,
        "steps": steps,
        "seconds": seconds,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "subnetworks": subnetworks,
        "holdout": holdout,
        "memory_budget": memory_budget,
        "seed": seed,
    }
    _check_settings(settings)
    device = layers[0].weight.device
    workers = min(available_cores(), SIDES) if device.type == "cpu" else 1
    with torch.inference_mode(False), torch.enable_grad(), batch_workers(workers) as pool:
        leaves = leaves_of(layers)
        branches = BranchSubnetworks(joined, arranged(joined, leaves), loss=loss, teacher=teacher)
        parts = read_parts(
            batches, holdout=holdout, memory_budget=memory_budget, labels=branches.labelled
        )
        some = parts.train.first(IMAGES)
        branches.check(some.first(batch_size))
        branches.measure(some.batches(batch_size))
        coordinates = make_preconditioner(
            joined.stitches,
            joined.features,
            (part.inputs for part in some.batches(batch_size)),
            memory_budget=memory_budget,
        )
        training = Training(
            joined,
            branches,
            leaves,
            [frame.to(device) for frame in coordinates],
            parts,
            batch=batch_size,
            subnetworks=subnetworks,
            learning_rate=learning_rate,
            memory_budget=memory_budget,
            seed=seed,
        )

        singles = [i for i, each in enumerate(training.draws.singles) if each is not None]
        most = _judged(len(singles))
        choosing, reporting = parts.choose.spread(most), parts.report.spread(most)

        def judge(examples: Examples) -> Judge:
            size = max(1, min(batch_size, len(examples) // JUDGED_BATCHES))

            def found(chosen: Sequence[BranchSubnetwork]) -> Losses:
                room = memory_budget // max(1, SIDES * branches.image_bytes(chosen))
                batch = max(1, min(size, room))
                together = max(1, min(TOGETHER, room) // batch)
                return losses(branches, chosen, examples, batch, pool, together=together)

            return found

        panel, others = (_panel(joined, branches, singles, [seed, FOUR, i]) for i in range(2))
        few = judge(choosing.first(CURVE_IMAGES))
        begun = few([training.single(stitch) for stitch in singles])
        training.gains.begin({s: mean_of(row) for s, row in zip(singles, begun, strict=True)})
        watched = _watched(training, singles, panel)
        log = RefineLog(
            training,
            lambda: mean_of(few(watched)),
            steps=steps,
            seconds=seconds,
            file=None if checkpoint is None else Path(checkpoint),
            mark="" if checkpoint is None else fingerprint(training, settings),
            every=checkpoint_seconds,
            clock=clock,
            progress=progress,
        )
        _train(training, log, pool)
        trained = [i for i in singles if i not in training.gains.closed]
        log.tell("choosing stitches")
        kept = choose(training, trained, panel, judge(choosing))
        log.tell("measuring on other images")
        compared = compare(training, singles, kept, others, judge(reporting))
    write_layers(layers, [(w.detach(), b.detach()) for w, b in leaves])
    if checkpoint is not None:
        Path(checkpoint).unlink(missing_ok=True)
    return RefineReport(
        settings=settings,
        steps=training.step,
        samples=training.step * SIDES * batch_size,
        distinct=min(len(parts.train), training.step * SIDES * batch_size),
        left_out=parts.left_out,
        chosen_on=len(choosing),
        reported_on=len(reporting),
        seconds=clock() - begin,
        several_before=compared.several[0],
        several_after=compared.several[1],
        curve=tuple(log.curve),
        rows=_rows(joined, training, kept, compared),
    )


def _train(training: Training, log: RefineLog, pool: Executor) -> None:
    """Steps until the budget is spent or no stitch is left to train."""
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


def _rows(
    joined: UnionGraph, training: Training, kept: set[int], compared: StitchComparison
) -> tuple[StitchRefined, ...]:
    diverged = {each.stitch: each.step for each in training.diverged}
    return tuple(
        StitchRefined(
            stitch.match,
            stitch.source,
            stitch.target,
            before=compared.before.get(index),
            after=compared.after.get(index),
            kept=index in kept,
            diverged=diverged.get(index),
        )
        for index, stitch in enumerate(joined.stitches)
    )


def _judged(stitches: int) -> int:
    """Images that so many stitches are judged on, each."""
    return max(FEWEST_JUDGED, min(JUDGED, JUDGED_TOGETHER // max(1, stitches)))


def _panel(
    joined: UnionGraph, branches: BranchSubnetworks, singles: Sequence[int], seed: Sequence[int]
) -> list[BranchSubnetwork]:
    """Random subnetworks with four stitches, none where there are not so many.

    Other ones choose than are reported on.
    """
    if len(singles) < FOUR:
        return []
    generator = np.random.default_rng(seed)
    drawn = [with_active(joined, generator, FOUR, singles) for _ in range(PANEL)]
    return [branches.branch(genotype) for genotype in drawn if genotype is not None]


def _watched(
    training: Training, singles: Sequence[int], panel: Sequence[BranchSubnetwork]
) -> list[BranchSubnetwork]:
    """The subnetworks of the held-out curve."""
    stride = max(1, len(singles) // CURVE_BRANCHES)
    return [*panel[:CURVE_BRANCHES], *(training.single(i) for i in singles[::stride])]


def _check_settings(settings: Mapping[str, Setting]) -> None:
    for name in ("steps", "seconds"):
        value = settings[name]
        if value is not None and not float(value) > 0:
            raise FittingError(
                f"the budget of {value} {name} is empty: give more than 0, or leave refining out"
            )
    for name in ("batch_size", "subnetworks", "memory_budget"):
        if int(settings[name] or 0) < 1:
            raise FittingError(f"{name} is {settings[name]}: expected 1 or more")
    rate = float(settings["learning_rate"] or 0)
    if not 0 < rate <= HIGHEST_RATE:
        raise FittingError(
            f"learning_rate is {settings['learning_rate']}: expected a number over 0, and at most "
            f"{HIGHEST_RATE:g}"
        )
    if int(settings["seed"] or 0) < 0:
        raise FittingError(f"the seed is {settings['seed']}: give 0 or more")

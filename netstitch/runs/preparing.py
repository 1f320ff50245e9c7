"""The steps of a run before its search: models become a supernet, its stitches fitted and refined.

Nothing is written before the stitches are fitted, so that bad input leaves nothing.
"""

import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import nn

from netstitch.cascades.answers import has_confidence
from netstitch.cascades.cascade_arguments import rule_of
from netstitch.errors import DataError
from netstitch.events import FolderOpened, Listener, Message, StageBegan, advancing, together
from netstitch.experiments import RunSettings
from netstitch.files.folders import write_bytes, write_json, write_text
from netstitch.fitting import RefineReport, RefineSettings, check_refining
from netstitch.matching import Matching, MatchingSettings, match
from netstitch.networks import Graph, Network, capture
from netstitch.networks.graph import INPUT, WEIGHT
from netstitch.networks.module import ancestors
from netstitch.networks.network_files import weights_content
from netstitch.networks.probabilities import WAY_OUT, check_alike
from netstitch.records import RunDocument, read_document
from netstitch.records.run_document import update_document, write_document
from netstitch.records.run_folder import REFINING, STITCHES, SUPERNET
from netstitch.records.trust import signed
from netstitch.records.unchanged import (
    FILES,
    digests_of,
    network_digests,
    note_files,
    note_refined,
    sample_digests,
    stitches_digest,
    versions,
)
from netstitch.runs.listeners import WarningKeeper
from netstitch.runs.supernet_step import join_networks
from netstitch.searching.reference_doubts import doubts
from netstitch.searching.supernet_search_settings import scored_by
from netstitch.supernet.stitch_table import stitch_table
from netstitch.supernet.storage import REFINE, REFINE_FILE, STITCHES_FILE
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Samples, Task, as_task
from netstitch.text import command
from netstitch.threads import available_cores

EXAMPLE_SIZE = 2


@dataclass(frozen=True)
class RunInputs:
    """The inputs of each step of a run, beside its supernet.

    Attributes:
        training: The task's training samples in the run's order.
        listener: It keeps warnings in the folder too.
    """

    settings: RunSettings
    task: Task
    training: Samples
    folder: Path
    listener: Listener


def run_inputs(settings: RunSettings, task: Task, folder: Path, listener: Listener) -> RunInputs:
    """Return the inputs; raise DataError where the task has no training samples."""
    task = as_task(task)
    if task.training is None:
        raise DataError(
            "the task has no training samples; give some to fit the stitches on, other ones than "
            "those that the search sees"
        )
    training = task.training.shuffled(settings.seed)
    return RunInputs(settings, task, training, folder, together(WarningKeeper(), listener))


def has_cascades(inputs: RunInputs) -> bool:
    """Return whether a run has exits and cascades: its task tells how sure outputs are."""
    return inputs.settings.cascades.enabled and has_confidence(inputs.task)


def prepare_folder(inputs: RunInputs, models: Sequence[tuple[str, nn.Module]]) -> Supernet:
    """Return the supernet, fitted and refined, after writing it into the run's folder."""
    settings, task = inputs.settings, inputs.task
    folder, listener = inputs.folder, inputs.listener
    seconds: dict[str, float] = {}
    with timed(seconds, "capture"):
        networks = capture_all(models, task, listener)
    for network in networks:
        network.to(settings.evaluation.here)
    with timed(seconds, "match"):
        matching = match_all(networks, listener, settings.matching)
    with timed(seconds, "supernet"):
        supernet = join_networks(networks, matching, task, inputs.training, settings, listener)
    scored_by(settings.search.objective, supernet, task)  # what cannot be is known before the work
    if settings.refine_settings is not None:
        check_refining(supernet, RefineSettings(**settings.refine_settings, views=task.views))
    if has_cascades(inputs):
        rule_of(supernet, task, settings.cascades)
    elif settings.cascades.enabled:
        text = "the task does not tell how sure outputs are: the run has neither exits nor cascades"
        listener(Message(text))
    for line in doubts(supernet, task):
        listener(Message(line, warning=True))
    with timed(seconds, "fit"):
        _fit(inputs, supernet)
    supernet.to("cpu")
    supernet.save(folder / SUPERNET)
    write_text(folder / STITCHES, stitch_table(supernet))
    signature = signed(settings.config, listener)
    document = RunDocument(
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
    # From here on there is something to go on with, whatever ends this.
    write_document(folder, document)
    listener(FolderOpened(folder))
    refine_run(inputs, supernet)
    return supernet


def capture_all(
    models: Sequence[tuple[str, nn.Module]], task: Task, listener: Listener
) -> list[Network]:
    """Capture each model with the first samples of validation; see `capture`.

    What only serves outputs that the task does not measure is left out of the networks. Raises
    DataError where the task cannot measure the outputs of one, and StitchingError where some put
    out probabilities and others logits.
    """
    listener(StageBegan("capture"))
    example = task.validation.first(EXAMPLE_SIZE)
    networks = []
    for name, model in models:
        network = capture(model, example.inputs, name=name)
        try:
            with torch.inference_mode():
                task.correct(network(example.inputs), example.labels)
        except DataError as error:
            raise DataError(f"network {name!r}: {error}") from error
        network = _measured_part(network, task.output)
        networks.append(network)
        work, points = network.multiply_adds, len(network.graph.points)
        listener(Message(f"{name}: {work:,} multiply-adds, {points} points"))
    if check_alike([(network.name, network) for network in networks]):
        text = (
            "all networks put out probabilities, which are averaged as they are; cross-entropies "
            f"and calibration are left out, since they are of logits: for each, {WAY_OUT}"
        )
        listener(Message(text, warning=True))
    return networks


def _measured_part(network: Network, key: str | None) -> Network:
    """Return the network pruned to the output of a key, where it has others."""
    graph = network.graph
    if key is None or graph.output_keys in ((None,), (key,)):
        return network
    name = dict(graph.outputs)[key]
    needed = ancestors(graph, [name])
    nodes = tuple(n for n in graph.nodes if n.name in needed or n.operation == INPUT)
    weights = {n.path: network.weights[n.path] for n in nodes if n.operation == WEIGHT}
    return Network(network.name, Graph(nodes, ((key, name),)), weights)


def match_all(
    networks: Sequence[Network], listener: Listener, settings: MatchingSettings
) -> Matching:
    """Match the networks and tell how many matches there are."""
    listener(StageBegan("match"))
    matching = match(
        *networks, points=settings.points, objective=settings.objective, listener=listener
    )
    counted = settings.objective == "count"
    weight = "" if counted else f" of weight {matching.weight:.2f}"
    if counted and len(networks) > 2:
        weight = f" that join {matching.weight:.0f} pairs of points"
    most = f"{matching.upper_bound:.0f} are" if counted else f"{matching.upper_bound:.2f} is"
    bound = "the maximum" if matching.exact else f"at most {most} possible"
    listener(Message(f"{len(matching)} matches{weight} ({bound})"))
    return matching


def _fit(inputs: RunInputs, supernet: Supernet) -> None:
    settings, listener = inputs.settings, inputs.listener
    listener(StageBegan("fit"))
    batches = inputs.training.batches(settings.fit.batch)
    report = supernet.fit(batches, progress=advancing(listener), **settings.fit_settings)
    errors = sorted(row.relative_error for row in report.rows if row.relative_error is not None)
    middle = errors[len(errors) // 2] if errors else float("nan")
    stitches, samples = len(report.rows), report.samples
    measured = "held-out error" if report.held_out else "error on some of these"
    listener(Message(f"{stitches} stitches on {samples:,} samples, median {measured} {middle:.2f}"))


def refine_run(inputs: RunInputs, supernet: Supernet) -> None:
    """Refine the stitches of a run, where that is asked for, from where it was.

    What came of it is saved over what was fitted; after Ctrl-C, it is said how to go on.
    """
    settings, folder, listener = inputs.settings, inputs.folder, inputs.listener
    if settings.refine_settings is None:
        return
    batch, training = settings.fit.batch, inputs.training
    with adding_time(folder, "refine"):
        listener(StageBegan("refine"))
        supernet.to(settings.evaluation.here)
        try:
            report = supernet.refine(
                zip(training.batches(batch), torch.split(training.labels, batch), strict=True),
                checkpoint=folder / REFINING,
                progress=advancing(listener),
                listener=listener,
                views=inputs.task.views,
                **settings.refine_settings,
            )
        except KeyboardInterrupt:
            listener(Message("the fitted stitches and how far refining got are kept; to go on:"))
            listener(Message(command("resume", folder)))
            raise
        # Each file in one step, so that a reader finds a supernet at any time.
        content = weights_content(supernet.stitch_weights())
        note_refined(folder, content)  # first, so that stitches that are not noted are changed ones
        write_bytes(folder / SUPERNET / STITCHES_FILE, content)
        write_json(folder / SUPERNET / REFINE_FILE, {"format": REFINE} | report.to_json())
        note_files(folder)
        supernet.to("cpu")
        for line in _refined_in_words(report):
            listener(Message(line))


def _refined_in_words(report: RefineReport) -> Iterator[str]:
    rows = [row for row in report.rows if row.before is not None and row.after is not None]
    before = sum(row.before or 0.0 for row in rows) / len(rows)
    after = sum(row.after or 0.0 for row in rows) / len(rows)
    several = ""
    if report.several_before is not None and report.several_after is not None:
        several = f", with four stitches {report.several_before:.3f} to {report.several_after:.3f}"
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


@contextmanager
def adding_time(folder: Path, name: str) -> Iterator[None]:
    """Time a step, and add it to what run.json says of it so far."""
    seconds: dict[str, float] = {}
    with timed(seconds, name):
        yield
    before = read_document(folder).seconds
    spent = round(before.get(name, 0.0) + seconds[name], 2)
    update_document(folder, {"seconds": before | {name: spent}})


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Time a step, and note it under its name."""
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started

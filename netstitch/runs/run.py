"""A run: from models and a task to a folder with a supernet, a front, and every evaluation.

What is in the folder is told in `run_folder.py`. Once the stitches are fitted, a run that ends
before it is done, by Ctrl-C, a kill or a power failure, goes on with `resume` where it was,
refining, searching, or measuring the front.
"""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from netstitch.costs import find_cost
from netstitch.errors import StorageError
from netstitch.evaluation.workers import prepare
from netstitch.events import FolderOpened, Listener, ignore
from netstitch.experiments import RunSettings
from netstitch.files.folders import copy_linked, write_text
from netstitch.records import RunDocument, read_document
from netstitch.records.front_check import check_front
from netstitch.records.run_document import update_document, write_document
from netstitch.records.run_folder import (
    FRONT_FILE,
    RUN_FILE,
    STITCHES,
    SUPERNET,
    check_place,
    check_same_config,
    locked,
    taken,
)
from netstitch.records.run_record import read_front
from netstitch.records.trust import SIGNATURE, signed
from netstitch.records.unchanged import (
    SUPERNET_FILES,
    check_folder,
    check_samples,
    check_versions,
)
from netstitch.runs.cascades_step import add_cascades
from netstitch.runs.exits_step import fit_wanted_exits, go_on_preparing
from netstitch.runs.finished import Finished
from netstitch.runs.preparing import prepare_folder, run_inputs
from netstitch.runs.searching_step import begin_search, search_and_measure
from netstitch.supernet.supernet_loading import load_supernet
from netstitch.tasks import Task


def carry_out(
    settings: RunSettings,
    models: Sequence[tuple[str, nn.Module]],
    task: Task,
    folder: Path,
    listener: Listener = ignore,
) -> Finished:
    """Run the whole way from models to a front, writing into a new folder.

    Ctrl-C while stitches are refined leaves them as they were fitted, and how far refining got.
    During the search it ends this with the front found so far, and everything is written, but for
    cascades; a second one, while the front is measured on test samples, leaves these out. While
    cascades are looked for, it leaves the front of networks. `resume` goes on in any case.

    Errors of the steps leave nothing before stitches are fitted, and from then on all that there
    was, for `resume`. The settings may be an `Experiment`; stitches are fitted on the task's
    training samples; listeners are a `RunLog`, a `TensorBoard` and the like.

    Raises:
        NetstitchError: Of the steps; before any work, where this machine cannot do what is asked.
    """
    inputs = run_inputs(settings, task, folder, listener)
    check_place(folder)
    settings.check()
    prepare(settings.evaluation)
    with taken(folder):
        supernet = prepare_folder(inputs, models)
        fit_wanted_exits(inputs, supernet)
        begin_search(inputs, supernet)
        front = search_and_measure(inputs, supernet)
        return add_cascades(inputs, supernet, front)


def prepare_run(
    settings: RunSettings,
    models: Sequence[tuple[str, nn.Module]],
    task: Task,
    folder: Path,
    listener: Listener,
) -> None:
    """Do the part of `carry_out` before its search, or what is left of it where it was stopped.

    `branch_run` goes on from there.
    """
    inputs = run_inputs(settings, task, folder, listener)
    if not (folder / RUN_FILE).exists():
        check_place(folder)
        settings.check()
        with taken(folder):
            fit_wanted_exits(inputs, prepare_folder(inputs, models))
        return
    check_resumable(folder)
    with locked(folder):
        inputs.listener(FolderOpened(folder))
        go_on_preparing(inputs, check_folder(folder, SUPERNET_FILES))


def branch_run(prepared: Path, settings: RunSettings, folder: Path) -> None:
    """Make a new run, with the supernet of a prepared one, for `resume`.

    The files of the supernet are the same on disk, where that is possible.
    """
    check_place(folder)
    document = read_document(prepared)
    with taken(folder):
        copy_linked(prepared / SUPERNET, folder / SUPERNET)
        write_text(folder / STITCHES, (prepared / STITCHES).read_text())
        config = settings.config
        changes = {"name": settings.name, "config": config, "signature": signed(config)}
        write_document(folder, document.model_copy(update=changes))


def check_resumable(folder: Path) -> RunDocument:
    """Return the document of a run; raise StorageError where it is done, or of another version."""
    document = read_document(folder)
    if document.done:
        raise StorageError(
            f"the run in {folder} is done, its search ended by {document.stopped}: there is "
            "nothing to go on with; for another search give another folder"
        )
    check_versions(folder, document)
    return document


def resume(
    settings: RunSettings,
    task: Task,
    folder: Path,
    listener: Listener = ignore,
    *,
    sign: bool = False,
) -> Finished:
    """Go on with a run that was stopped, however that was, from where it is.

    What was evaluated is not evaluated again, budgets count on from where they were, and a serial
    search ends as it would have. Settings and task are those that the run began with, though
    evaluations may be spread another way. With `sign`, the Python that the run names is this user's
    from now on. Raises StorageError where another process runs it, it is done, or its inputs
    changed.
    """
    check_resumable(folder)
    inputs = run_inputs(settings, task, folder, listener)
    settings.check()
    prepare(settings.evaluation)
    with locked(folder):
        document = check_folder(folder, SUPERNET_FILES)
        check_same_config(folder, document.config, settings.config)
        check_samples(folder, document, inputs.task)
        inputs.listener(FolderOpened(folder))
        if document.form is None:
            supernet = go_on_preparing(inputs, document)
            begin_search(inputs, supernet)
        else:
            supernet = load_supernet(folder / SUPERNET)
            _check_search(folder, document, settings)
        if sign:
            signature = signed(document.config, inputs.listener)
            if signature is not None:
                update_document(folder, {SIGNATURE: signature})
        if document.outcome is not None and document.outcome.lacks_cascades:
            check_folder(folder, (FRONT_FILE,))
            front = read_front(folder)
            check_front(folder, front, supernet.structure)
        else:
            front = search_and_measure(inputs, supernet)
        return add_cascades(inputs, supernet, front)


def _check_search(folder: Path, document: RunDocument, settings: RunSettings) -> None:
    """Raise StorageError where a search began with what would give other results now."""
    early, search = settings.evaluation.early, settings.search
    for key, was, now, why in (
        ("early", document.early, early, ", and samples would come in another order"),
        ("objective", document.objective, search.objective, ""),
        ("cost", document.cost, find_cost(search.cost).name, ""),
    ):
        if was != now:
            raise StorageError(
                f"{folder} began with {key} = {was!r}, which is now {now!r}{why}; go on with the "
                "former, or run anew"
            )

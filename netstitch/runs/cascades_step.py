"""The last step of a run: cascades of what its search evaluated, beside the front of networks."""

from dataclasses import replace

from netstitch.analysis import Front
from netstitch.cascades import Evaluated, find_cascades_of
from netstitch.costs import find_cost
from netstitch.errors import NetstitchError
from netstitch.events import Message
from netstitch.records import Outcome, read_document
from netstitch.records.run_document import CascadesOutcome, update_document
from netstitch.records.run_folder import FRONT_FILE
from netstitch.records.run_record import evaluations_of
from netstitch.records.unchanged import forget_files, note_files
from netstitch.runs.finished import Finished, write_front
from netstitch.runs.preparing import RunInputs, adding_time
from netstitch.supernet.supernet import Supernet
from netstitch.text import command, counted, one_line


def add_cascades(inputs: RunInputs, supernet: Supernet, front: Front) -> Finished:
    """Find the cascades that are left of a run, where there are, and write its front with them.

    Ctrl-C keeps the front of networks, and `resume` goes on from there. Where cascades cannot be
    found the listener is warned, and the run is done without.
    """
    folder, listener = inputs.folder, inputs.listener
    outcome = read_document(folder).outcome
    assert outcome is not None
    if not outcome.lacks_cascades:
        return Finished(folder, supernet, front, outcome)
    try:
        front = search_cascades(inputs, supernet, front)
    except KeyboardInterrupt:
        listener(Message("the front of networks is kept, without cascades; to go on:"))
        listener(Message(command("resume", folder)))
        return Finished(folder, supernet, front, outcome)
    except (NetstitchError, RuntimeError) as error:
        listener(Message(f"no cascades were found: {one_line(error)}", warning=True))
        outcome = outcome.model_copy(update={"cascades": None})
        update_document(folder, {"outcome": outcome.model_dump()})
        return Finished(folder, supernet, front, outcome)
    return write_cascades(inputs, supernet, front, outcome)


def search_cascades(inputs: RunInputs, supernet: Supernet, front: Front) -> Front:
    """Return a run's front with the cascades that its settings ask for; nothing is written.

    Those that it has are none of it.
    """
    settings, folder, listener = inputs.settings, inputs.folder, inputs.listener
    document = read_document(folder)
    assert document.form is not None
    with adding_time(folder, "cascades"):
        stored = evaluations_of(folder, document, supernet.structure)
        found = find_cascades_of(
            supernet,
            inputs.task,
            front,
            Evaluated(stored.genotypes, stored.score),
            settings.cascades,
            replace(document.form.exact, workers=settings.evaluation.alone),
            device=settings.evaluation.here,
            cost=find_cost(document.cost),
            recalibrated=bool(document.settings.recalibrate),
            listener=listener,
        )
    exits = sum(point.exit is not None for point in found.points)
    listener(
        Message(
            f"{counted(len(found.cascades), 'cascade')}, {len(found.plain_cascades)} plain ones, "
            f"{counted(exits, 'exit')} among the networks of the front"
        )
    )
    return found


def write_cascades(
    inputs: RunInputs, supernet: Supernet, front: Front, outcome: Outcome
) -> Finished:
    """Write a run's front with cascades in the place of the one that is there."""
    folder, settings = inputs.folder, inputs.settings
    cascades = CascadesOutcome(found=True, settings=settings.cascades.model_dump())
    outcome = outcome.model_copy(update={"cascades": cascades})
    # First, so that a kill leaves no front that is not as noted.
    forget_files(folder, (FRONT_FILE,))
    write_front(folder, front, settings.name)
    note_files(folder, (FRONT_FILE,), {"outcome": outcome.model_dump()})
    return Finished(folder, supernet, front, outcome)

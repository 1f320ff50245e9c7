"""The output of a supernet's networks that a task measures."""

from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Task


def measured_key(supernet: Supernet, task: Task) -> str | None:
    """Return the key of the output that is measured; None where networks put out one tensor."""
    keys = supernet.graphs[0].output_keys
    return keys[0] if len(keys) == 1 else task.output


def measured_shape(supernet: Supernet, task: Task) -> tuple[int, ...]:
    """Return the shape of the output that is measured, for one sample."""
    shape = supernet.graphs[0].output_shape(measured_key(supernet, task))
    return tuple(int(size) for size in shape[1:])

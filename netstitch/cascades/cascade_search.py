"""`ns.find_cascades`: a supernet, a task and a front become a front with cascades."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, Unpack

import torch

from netstitch.analysis import Front
from netstitch.cascades.cascade_settings import CascadeKeywords, CascadeSettings
from netstitch.cascades.evaluated import Evaluated
from netstitch.costs import MULTIPLY_ADDS, Cost
from netstitch.evaluation import NumericsConfig
from netstitch.events import Listener, ignore
from netstitch.files.settings import with_keywords
from netstitch.fitting import Batch
from netstitch.supernet import AnyGenotype, Supernet
from netstitch.tasks import Task


@with_keywords(CascadeSettings, CascadeKeywords)
def find_cascades(
    supernet: Supernet,
    task: Task,
    front: Front,
    stages: Literal[2, 3] = 2,
    *,
    evaluated: Iterable[AnyGenotype] = (),
    cost: str | Cost | None = None,
    form: NumericsConfig | None = None,
    device: str | torch.device = "cpu",
    on_progress: Callable[[int, int | None, str], None] | None = None,
    **options: Unpack[CascadeKeywords],
) -> Front:
    """Return the front with cascades of its networks, and of the references and exits.

    Args:
        supernet: The supernet that the front is of.
        task: The task that it was searched for.
        front: What `ns.search` found.
        stages: The most stages of a cascade, 2 or 3.
        evaluated: Genotypes that may be stages beside those of the front.
        cost: The front's cost, where it is one of your own.
        form: Memory layout, batch size and workers; measured on this machine by default.
        device: Where subnetworks run.
        on_progress: Called with how much is done, of how much, and what.
        **options: Fields of `netstitch.cascades.CascadeSettings`.

    Raises:
        SearchError: A setting cannot be used, the front is of another supernet, or the task has no
            confidence.
    """
    raise NotImplementedError


def find_cascades_of(
    supernet: Supernet,
    task: Task,
    front: Front,
    evaluated: Evaluated,
    settings: CascadeSettings,
    form: NumericsConfig,
    *,
    device: torch.device | str = "cpu",
    cost: Cost = MULTIPLY_ADDS,
    recalibration: Sequence[Batch] | None = None,
    listener: Listener = ignore,
) -> Front:
    """Find cascades as `find_cascades` does, of what a search evaluated.

    With inputs to recalibrate with, stages are networks without stitches, whose batch norms keep
    their statistics. The listener is told how far it is.
    """
    raise NotImplementedError

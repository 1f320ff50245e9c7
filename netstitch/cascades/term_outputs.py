"""Outputs of terms on samples: shared work is done once, and memory is bounded."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from netstitch.cascades.stage_table import silent
from netstitch.cascades.terms import Stage, terms_of
from netstitch.errors import SearchError
from netstitch.evaluation import Evaluator, NumericsConfig
from netstitch.events import ProgressCallback
from netstitch.stitching.cascade_terms import Term
from netstitch.stitching.exit import Exit
from netstitch.supernet.supernet import Supernet
from netstitch.tasks import Outputs, Samples, Task, select

TOGETHER = 32
"""Genotypes computed together."""
OF_DISK = 0.5
"""The share of what is free on disk that outputs may take."""


def fitting_stages(
    stages: Sequence[Stage], bytes_of_term: int, memory: int
) -> tuple[Sequence[Stage], bool]:
    """Return as many stages as memory or disk can hold outputs of, and whether memory can.

    Raises:
        SearchError: There is no room for those of two stages.
    """
    if len(terms_of(stages)) * bytes_of_term <= memory:
        return stages, True
    free = max(memory, int(OF_DISK * shutil.disk_usage(tempfile.gettempdir()).free))
    chosen = list(stages)
    while len(terms_of(chosen)) * bytes_of_term > free:
        chosen.pop()
    if len(chosen) < 2:
        raise SearchError(
            f"the outputs of two networks for all validation samples take "
            f"{2 * bytes_of_term:,} bytes, and there is room for {free:,}; give fewer samples, or "
            "more memory"
        )
    return chosen, len(terms_of(chosen)) * bytes_of_term <= memory


@contextmanager
def held(count: int, shape: Sequence[int], in_memory: bool) -> Iterator[Tensor]:
    """Give an empty tensor (count, *shape) in memory, or in a file that is removed afterwards."""
    if in_memory:
        yield torch.empty(count, *shape)
        return
    with tempfile.TemporaryDirectory(prefix="netstitch-") as folder:
        values = np.memmap(Path(folder) / "outputs", np.float32, mode="w+", shape=(count, *shape))
        yield torch.from_numpy(values)


def compute_terms(
    supernet: Supernet,
    task: Task,
    samples: Samples,
    terms: Sequence[Term],
    form: NumericsConfig,
    device: torch.device | str,
    out: Tensor,
    progress: ProgressCallback = silent,
) -> Mapping[Term, Tensor]:
    """Return the outputs (n, ...) of each term; they are views of `out`, (terms, n, ...).

    Raises:
        DataError: Outputs are not of the task.
    """
    text = f"outputs on {samples.name} samples"
    evaluator = Evaluator(supernet, task, samples, form, device=device)
    exits = [i for i, term in enumerate(terms) if isinstance(term.subnetwork, Exit)]
    others = [i for i, term in enumerate(terms) if not isinstance(term.subnetwork, Exit)]
    parts = [others[start : start + TOGETHER] for start in range(0, len(others), TOGETHER)]
    done = 0
    for part in [*parts, exits]:
        progress(done, len(terms), text)

        def take(one: int, first: int, outputs: Outputs, part: Sequence[int] = part) -> None:
            values = select(outputs, task.output)
            out[part[one], first : first + len(values)] = values

        subnetworks = [terms[index].subnetwork for index in part]
        evaluator.give_outputs(
            [one if isinstance(one, Exit) else np.array(one) for one in subnetworks], take
        )
        done += len(part)
    progress(len(terms), len(terms), text)
    return dict(zip(terms, out, strict=True))

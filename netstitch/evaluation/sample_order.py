"""Orders of samples in which evaluations that end early go through them."""

from collections.abc import Sequence

import torch
from torch import Tensor


def most_informative_order(certainties: Sequence[Tensor]) -> Tensor:
    """Return an order (n,) of the samples, those first that networks are least certain of.

    A network that is not good enough shows it soonest on the samples that others find hard.

    Args:
        certainties: The certainties (n,) of each of some networks.
    """
    return torch.stack([each.double() for each in certainties]).mean(0).argsort(stable=True)


def nested_order(
    labels: Tensor, certainties: Sequence[Tensor], ends: Sequence[int], seed: int
) -> Tensor:
    """Return an order (n,) of samples in which each part stands for all.

    Each part is a systematic sample of the next larger one, in the order of labels and of how
    certain networks are, from a random start: of any samples that follow one another there, such
    as those of a label, it has its share to within one. What a part has beside those before it
    comes in the most informative order.

    Args:
        labels: (n,) of classes; those of other shapes are left out of account.
        certainties: The certainties (n,) of each of some networks.
        ends: The sizes of the parts, ascending, less than n.
        seed: The seed of the starts.
    """
    order = most_informative_order(certainties)
    rank = order.argsort()
    frame = order[labels[order].argsort(stable=True)] if labels.ndim == 1 else order
    generator = torch.Generator().manual_seed(seed)
    behind = []
    for end in reversed(ends):
        start = torch.rand((), dtype=torch.float64, generator=generator).item()
        taken = torch.zeros(len(frame), dtype=torch.bool)
        taken[[min(int((i + start) * len(frame) / end), len(frame) - 1) for i in range(end)]] = True
        behind.append(frame[~taken])
        frame = frame[taken]
    parts = [frame, *reversed(behind)]
    return torch.cat([part[rank[part].argsort()] for part in parts])

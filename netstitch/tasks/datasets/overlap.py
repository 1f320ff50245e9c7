"""Samples that are in several parts of a task, or have several labels: found by their digests."""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from netstitch.tasks.samples import Samples

DIGEST_BYTES = 8
LOOKED_AT = 1_024
"""Values from the middle of an input that are read first; all of it only where these are equal."""
TOGETHER = 1_024

Digests = NDArray[np.uint64]


def overlaps(parts: Mapping[str, Samples]) -> list[str]:
    """Return sentences on samples whose inputs are equal to the bit in two parts or labels.

    Takes 8 bytes a sample, and reads a few kilobytes of each; whole inputs only of those that may
    be in two places. Blank images do not count: they are equal by nature, such as tiles beside of
    what was scanned.

    Args:
        parts: Samples by name, in the order in which they are told.

    Returns:
        One sentence at most on parts that have samples in common, with their number, and one on
        samples that have several labels, where labels are class numbers.
    """
    found = _suspects(parts)
    counts, said = [], []
    for one, other in combinations(parts, 2):
        if count := int(np.isin(found[other][1], found[one][1]).sum()):
            counts.append(
                f"{count:,} of {len(parts[other]):,} {other} samples are also {one} samples"
            )
    if counts:
        said.append(
            f"the same samples are in two parts: {'; '.join(counts)}: figures on them say little "
            "of new samples, give each part samples of its own"
        )
    return said + _contradictions(parts, found)


def _contradictions(
    parts: Mapping[str, Samples], found: Mapping[str, tuple[NDArray[np.intp], Digests]]
) -> list[str]:
    """Return a sentence on equal inputs with different labels, where there are any."""
    names = [name for name, samples in parts.items() if samples.labels.ndim == 1]
    if not names:
        return []
    digests = np.concatenate([found[name][1] for name in names])
    labels = np.concatenate([parts[name].labels.numpy()[found[name][0]] for name in names])
    order = np.lexsort((labels, digests))
    one, other = order[:-1], order[1:]
    clash = (digests[one] == digests[other]) & (labels[one] != labels[other])
    if not clash.any():
        return []
    affected = int(np.isin(digests, digests[one[clash]]).sum())
    first = int(np.flatnonzero(clash)[0])
    return [
        f"{affected:,} samples are equal to others that have another label, such as labels "
        f"{labels[one[first]]} and {labels[other[first]]}: no network can have them all right, "
        "check the labels"
    ]


def _suspects(parts: Mapping[str, Samples]) -> dict[str, tuple[NDArray[np.intp], Digests]]:
    """Return the indices of samples that may be in two places, and digests of whole inputs."""
    glanced = {name: _digests(_middles(samples.inputs)) for name, samples in parts.items()}
    values, counts = np.unique(np.concatenate(list(glanced.values())), return_counts=True)
    several = values[counts > 1]
    found = {}
    for name, samples in parts.items():
        indices = np.flatnonzero(np.isin(glanced[name], several))
        indices = indices[[not _is_blank(samples.inputs[index]) for index in indices]]
        whole = (samples.inputs[index].detach().contiguous().numpy() for index in indices.tolist())
        found[name] = indices, _digests(whole)
    return found


def _is_blank(values: Tensor) -> bool:
    """Return whether an image (c, h, w) has one colour all over."""
    return values.ndim == 3 and bool((values == values[:, :1, :1]).all())


def _digests(rows: Iterator[NDArray[np.float32]]) -> Digests:
    digests = (blake2b(row.data, digest_size=DIGEST_BYTES).digest() for row in rows)
    return np.fromiter((int.from_bytes(digest) for digest in digests), np.uint64)


def _middles(inputs: Tensor) -> Iterator[NDArray[np.float32]]:
    for part in torch.split(inputs, TOGETHER):
        rows = part.detach().flatten(1)
        begin = max(rows.shape[1] - LOOKED_AT, 0) // 2
        yield from rows[:, begin : begin + LOOKED_AT].contiguous().numpy()

"""The signature of a genotype: its active switches and their choices, which name a subnetwork.

Genotypes of one signature select the same subnetwork, so that one of them is evaluated. They may
differ in switches that the output does not depend on.
"""

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Signature = tuple[tuple[int, int], ...]
"""The (switch, choice) pairs of the active switches, in order of the switches."""


def signature_of(genotype: NDArray[np.int64], active: NDArray[np.bool_]) -> Signature:
    """Return the signature of a genotype (l,) from which of its switches are active, (l,)."""
    indices = np.flatnonzero(active)
    return tuple(zip(indices.tolist(), genotype[indices].tolist(), strict=True))


def digest_of(genotype: NDArray[np.int64], active: NDArray[np.bool_]) -> bytes:
    """Return 16 bytes that stand for the signature, for keeping very many of them."""
    chosen = np.where(active, genotype + 1, 0).astype(np.uint16)
    return blake2b(chosen.tobytes(), digest_size=16).digest()

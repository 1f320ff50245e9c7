"""How much memory kept activations may take."""

from pathlib import Path

import psutil
import torch

from netstitch.errors import SearchError

SHARE = 0.25
"""Of the free memory, what activations may take where nothing else is asked."""

_LIMITS = (  # of a container, and what it uses: cgroups of version 2, then 1
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def cache_budget(
    asked: int | None, devices: tuple[torch.device, ...] = (torch.device("cpu"),)
) -> int:
    """Bytes of activations to keep on these devices, all of them together.

    asked: bytes, or None for SHARE of the memory that is free now.

    Raises SearchError for less than none, and more than there is.
    """
    free = sum(free_memory(device) for device in set(devices))
    if asked is None:
        return int(SHARE * free)
    if asked < 0 or asked > sum(whole_memory(device) for device in set(devices)):
        raise SearchError(
            f"a cache of {asked / 1e9:g} GB is more than the memory that there is, of which "
            f"{free / 1e9:.1f} GB are free: give 0 to {free / 1e9:.0f} GB"
            if asked > 0
            else f"a cache of {asked / 1e9:g} GB cannot be: give 0 or more"
        )
    return asked


def free_memory(device: torch.device) -> int:
    """Bytes that can be taken now; of a container, what its limit leaves."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    limits = [psutil.virtual_memory().available]
    limits += [max(0, limit - used) for limit, used in _container_limits()]
    return min(limits)


def whole_memory(device: torch.device) -> int:
    """Bytes that there are, free or not."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[1])
    return min([psutil.virtual_memory().total, *(limit for limit, _ in _container_limits())])


def _container_limits() -> list[tuple[int, int]]:
    """Pairs of limit and use, where this process is in a container that has a limit."""
    found = []
    for limit, used in _LIMITS:
        try:
            found.append((int(Path(limit).read_text()), int(Path(used).read_text())))
        except (OSError, ValueError):  # there is none, or it says "max"
            continue
    return found

"""The search for one model's weights among the tensors of a checkpoint.

A state dict lies under keys such as `state_dict` and `model`, and its names have prefixes such as
`module.` and `_orig_mod.` of what was wrapped around the network. No list of these is needed: what
stands before the names of the model's own tensors, wherever all of them are, is the wrapping.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from netstitch.networks.checkpoints.checkpoint_file import Checkpoint, StoredTensor
from netstitch.networks.checkpoints.file_kinds import brief
from netstitch.networks.checkpoints.stored_tensors import Tensors, missing_of

WRAPPERS = {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
"""Parts of names that wrapping leaves, also in the middle, where a part of a network is wrapped."""
OUTER = WRAPPERS | {"model", "net", "network", "backbone", "encoder", "base_model"}
"""Parts that a model's own names may begin with and those of a file lack."""
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@dataclass(frozen=True)
class Found:
    """Tensors that stand behind one prefix and have names of the model's.

    Attributes:
        prefix: The text before the names, with its dot; "" for none.
        tensors: By the model's own names.
        missing: Names of the model that are not there.
        surplus: Names there that are not the model's.
    """

    prefix: str
    tensors: dict[str, StoredTensor]
    missing: list[str]
    surplus: list[str]

    @property
    def whole(self) -> bool:
        """True where nothing is missing and nothing is surplus."""
        return not self.missing and not self.surplus

    @property
    def average(self) -> bool:
        """True where the prefix is that of an exponential moving average of weights."""
        return called_average(self.prefix)

    @property
    def holders(self) -> set[tuple[str, ...]]:
        """The keys of all dictionaries that the tensors are in."""
        return {stored.holder for stored in self.tensors.values()}


def find_weights(checkpoint: Checkpoint, own: Tensors) -> list[Found]:
    """Return the places in a checkpoint with tensors of a model, those with the most of them first.

    Names are taken as they are if all are found somewhere; else without the parts that wrapping
    leaves in their middle, and then without what only the model's own names begin with.
    """
    found = _found(checkpoint, own, {name: name for name in own}, dropped=())
    if any(each.whole for each in found):
        return found
    bare = {_without(name, WRAPPERS): name for name in own}
    inner = dict(bare)
    while len(first := {name.partition(".")[0] for name in inner}) == 1 and first <= OUTER:
        inner = {name.partition(".")[2]: full for name, full in inner.items()}
    for names in (bare, inner):
        if len(names) == len(own):  # no two names became one
            again = _found(checkpoint, own, names, dropped=WRAPPERS)
            if any(each.whole for each in again):
                return again
    return found


def _found(
    checkpoint: Checkpoint, own: Tensors, names: Mapping[str, str], dropped: Collection[str]
) -> list[Found]:
    """Find names that stand for a model's own, in paths without some of their parts."""
    paths = [_without(stored.path, dropped) for stored in checkpoint.tensors]
    if len(set(paths)) < len({stored.path for stored in checkpoint.tensors}):
        return []  # two names became one
    by_prefix: dict[str, dict[str, StoredTensor]] = defaultdict(dict)
    for path, stored in zip(paths, checkpoint.tensors, strict=True):
        for start in (0, *(at.end() for at in re.finditer(r"\.", path))):
            name = names.get(path[start:])
            if name is not None:
                by_prefix[path[:start]].setdefault(name, stored)
    most = max(map(len, by_prefix.values()), default=0)
    found = []
    for prefix, tensors in by_prefix.items():
        if 2 * len(tensors) < most:  # no more than names that are alike by chance
            continue
        holders = {stored.holder for stored in tensors.values()}
        surplus = [
            path.removeprefix(prefix)
            for path, stored in zip(paths, checkpoint.tensors, strict=True)
            if stored.holder in holders
            and path.startswith(prefix)
            and path.removeprefix(prefix) not in names
        ]
        found.append(Found(prefix, tensors, missing_of(own, tensors), surplus))
    return sorted(found, key=lambda each: (-len(each.tensors), len(each.surplus), each.prefix))


def distinct(found: list[Found]) -> list[Found]:
    """Return those that are not equal to an earlier one in all of their tensors."""
    kept: list[Found] = []
    for each in found:
        if not any(_equal(each, other) for other in kept):
            kept.append(each)
    return kept


def _equal(first: Found, second: Found) -> bool:
    return all(
        name in second.tensors and _same(stored.tensor, second.tensors[name].tensor)
        for name, stored in first.tensors.items()
    )


def _same(first: Tensor, second: Tensor) -> bool:
    try:
        return torch.equal(first, second)
    except (RuntimeError, TypeError):  # of kinds that cannot be compared
        return False


def averages_beside(checkpoint: Checkpoint, taken: Found | None = None) -> list[str]:
    """Return the prefixes of tensors that are called a moving average and were not taken."""
    own = {id(stored) for stored in taken.tensors.values()} if taken else set()
    found: dict[str, None] = {}
    for stored in checkpoint.tensors:
        parts = [*stored.holder, *stored.name.split(".")[:-1]]
        last = max((at for at, part in enumerate(parts) if called_average(part)), default=None)
        if id(stored) not in own and last is not None:
            found[".".join(parts[: last + 1])] = None
    return list(found)


def called_average(path: str) -> bool:
    """Return whether a prefix or key is that of an exponential moving average of weights."""
    words = [word.lower() for word in WORD.findall(path)]
    return "ema" in words or "moving_average" in path.lower()


def way_to(taken: Found) -> str:
    """Return in words where weights stand: under which keys, and behind which prefix."""
    holder = ".".join(next(iter(taken.holders))) if len(taken.holders) == 1 else ""
    prefix = taken.prefix
    for above in (holder, _without(holder, WRAPPERS)):
        if above and prefix.startswith(f"{above}."):
            prefix = prefix.removeprefix(f"{above}.")
            break
    words = [f"under {brief(holder)!r}"] if holder else []
    if prefix:
        words.append(f"with the prefix {brief(prefix)!r}")
    dropped = {
        part
        for name, stored in taken.tensors.items()
        for part in WRAPPERS.intersection(stored.name.removeprefix(prefix).split("."))
        if part not in name.split(".")
    }
    words += [f"with {part + '.'!r} within their names" for part in sorted(dropped)]
    name, stored = next(iter(taken.tensors.items()))
    lacked = name.removesuffix(stored.name)
    if lacked != name and lacked:
        words.append(f"without the prefix {lacked!r} of the model's own names")
    return ", ".join(words)


def _without(path: str, parts: Collection[str]) -> str:
    return ".".join(part for part in path.split(".") if part not in parts)

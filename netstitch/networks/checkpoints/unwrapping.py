"""The search for one model's weights among the tensors of a checkpoint.

A state dict lies under keys such as `state_dict` and `model`, and its names have prefixes such as
`module.` and `_orig_mod.` of what was wrapped around the network. No list of these is needed: what
stands before the names of the model's own tensors, wherever all of them are, is the wrapping.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch

from netstitch.networks.checkpoints.checkpoint_file import Checkpoint, StoredTensor
from netstitch.networks.checkpoints.file_kinds import brief

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


def find_weights(
    checkpoint: Checkpoint, names: Iterable[str], missing: Callable[[Iterable[str]], list[str]]
) -> list[Found]:
    """Return where a checkpoint has tensors of a model, those with the most of them first.

    The model's names are taken as they are if all are found somewhere; else without the parts that
    wrapping leaves in their middle, and then without what only the model's own names begin with.
    `missing` returns the names that a model lacks where it is given only some.
    """
    names = list(names)
    found = _found(checkpoint, {name: name for name in names}, str, missing)
    if not any(each.whole for each in found):
        bare = {_without(name, WRAPPERS): name for name in names}
        inner = dict(bare)
        while len(first := {name.partition(".")[0] for name in inner}) == 1 and first <= OUTER:
            inner = {name.partition(".")[2]: own for name, own in inner.items()}
        for own in (bare, inner):
            if len(own) < len(names):  # two names became one
                continue
            again = _found(checkpoint, own, lambda path: _without(path, WRAPPERS), missing)
            if any(each.whole for each in again):
                return again
    return found


def _found(
    checkpoint: Checkpoint,
    own: Mapping[str, str],
    read: Callable[[str], str],
    missing: Callable[[Iterable[str]], list[str]],
) -> list[Found]:
    """Find names as `own` maps them to the model's, in paths as `read` returns them."""
    paths = {id(stored): read(stored.path) for stored in checkpoint.tensors}
    if len(set(paths.values())) < len({stored.path for stored in checkpoint.tensors}):
        return []  # two names became one
    by_prefix: dict[str, dict[str, StoredTensor]] = defaultdict(dict)
    for stored in checkpoint.tensors:
        path = paths[id(stored)]
        starts = [0, *(at.end() for at in re.finditer(r"\.", path))]
        for start in starts:
            name = own.get(path[start:])
            if name is not None:
                by_prefix[path[:start]].setdefault(name, stored)
    most = max(map(len, by_prefix.values()), default=0)
    found = []
    for prefix, tensors in by_prefix.items():
        if 2 * len(tensors) < most:  # no more than names that are alike by chance
            continue
        holders = {stored.holder for stored in tensors.values()}
        surplus = [
            paths[id(stored)].removeprefix(prefix)
            for stored in checkpoint.tensors
            if stored.holder in holders
            and paths[id(stored)].startswith(prefix)
            and paths[id(stored)].removeprefix(prefix) not in own
        ]
        found.append(Found(prefix, tensors, missing(tensors), surplus))
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


def _same(first: torch.Tensor, second: torch.Tensor) -> bool:
    try:
        return torch.equal(first, second)
    except (RuntimeError, TypeError):  # of kinds that cannot be compared
        return False


def averages_beside(checkpoint: Checkpoint, taken: Found | None = None) -> list[str]:
    """Return the prefixes of tensors that are called a moving average and were not taken."""
    own = {id(stored) for stored in taken.tensors.values()} if taken else set()
    found: Counter[str] = Counter()
    for stored in checkpoint.tensors:
        parts = [*stored.holder, *stored.name.split(".")[:-1]]
        last = max((at for at, part in enumerate(parts) if called_average(part)), default=None)
        if id(stored) not in own and last is not None:
            found[".".join(parts[: last + 1])] += 1
    return list(found)


def called_average(path: str) -> bool:
    """Return whether a prefix or key is that of an exponential moving average of weights."""
    words = [word.lower() for word in WORD.findall(path)]
    return "ema" in words or "moving_average" in path.lower()


def left_beside(checkpoint: Checkpoint, taken: Found) -> list[str]:
    """Return names in the state dicts that weights were taken from, of what is not the model's."""
    own = {id(stored) for stored in taken.tensors.values()}
    holders = {stored.holder for stored in taken.tensors.values()}
    return [
        stored.name
        for stored in checkpoint.tensors
        if stored.holder in holders and id(stored) not in own
    ]


def way_to(taken: Found) -> str:
    """Return in words where weights stand: under which keys, and behind which prefix."""
    holders = {stored.holder for stored in taken.tensors.values()}
    holder = ".".join(next(iter(holders))) if len(holders) == 1 else ""
    prefix = taken.prefix
    for above in (holder, _without(holder, WRAPPERS)):
        if above and prefix.startswith(f"{above}."):
            prefix = prefix.removeprefix(f"{above}.")
            break
    words = []
    if holder:
        words.append(f"under {brief(holder)!r}")
    if prefix:
        words.append(f"with the prefix {brief(prefix)!r}")
    dropped = sorted(
        part
        for part in WRAPPERS
        if any(
            part in stored.name.removeprefix(prefix).split(".") and part not in name.split(".")
            for name, stored in taken.tensors.items()
        )
    )
    words += [f"with {part + '.'!r} within their names" for part in dropped]
    name, stored = next(iter(taken.tensors.items()))
    lacked = name.removesuffix(stored.name)
    if lacked != name and lacked:
        words.append(f"without the prefix {lacked!r} of the model's own names")
    return ", ".join(words)


def _without(path: str, parts: set[str]) -> str:
    return ".".join(part for part in path.split(".") if part not in parts)

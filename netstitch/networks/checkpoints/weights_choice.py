"""The choice of a model's weights among those of a checkpoint, and errors where none fit."""

import os
import re
import shlex
from collections import Counter
from collections.abc import Mapping

from torch import Tensor, nn

from netstitch.errors import WeightsError
from netstitch.networks.checkpoints.checkpoint_file import Checkpoint
from netstitch.networks.checkpoints.file_kinds import brief, shown, some
from netstitch.networks.checkpoints.stored_tensors import check_kinds, missing_of
from netstitch.networks.checkpoints.unwrapping import Found, averages_beside, distinct, way_to


def choose(
    model: nn.Module,
    own: Mapping[str, Tensor],
    checkpoint: Checkpoint,
    found: list[Found],
    ema: bool,
) -> Found:
    """Return the weights to take, of what `find_weights` found in a checkpoint.

    `own` are the model's tensors by name; `ema` asks for the moving average of weights.

    Raises:
        WeightsError: Where nothing fits, more than one does, or the average is the only one that
            does and is not asked for, or is asked for and is not there.
    """
    path, name = shown(checkpoint.file), type(model).__name__
    asked = [each for each in found if each.average == ema]
    whole = [each for each in asked if each.whole]
    best = distinct([each for each in whole if _same_shapes(each, own)]) or whole[:1]
    if len(best) > 1:
        places = " and ".join(_place_of(each) for each in best)
        raise WeightsError(
            f"{path} holds {len(best)} sets of weights that fit {name}, and it is not said which "
            f"is meant: {places}; write the one that is meant into a file of its own: "
            f"{_parting(checkpoint, best[-1])}"
        )
    if best:
        return best[0]
    if ema and not asked:
        raise _no_average(path, name, averages_beside(checkpoint))
    averages = [] if ema else [each for each in found if each.average and each.whole]
    if averages and not asked:
        raise WeightsError(
            f"{path} holds only a moving average (EMA) of the weights of {name}: "
            f"{_place_of(averages[0])}; to take it, set ema = true in its [[networks]] table, or "
            "ema=True in Python"
        )
    if asked:  # what is quantised has further tensors, of which that is the reason
        check_kinds(checkpoint.file, own, tensors_of(asked[0]))
    raise _does_not_fit(model, own, checkpoint, asked[0] if asked else None)


def tensors_of(found: Found) -> dict[str, Tensor]:
    """Return the tensors that were found, by the model's own names."""
    return {name: stored.tensor for name, stored in found.tensors.items()}


def _no_average(path: str, name: str, others: list[str]) -> WeightsError:
    if others:
        return WeightsError(
            f"{path} holds a moving average (EMA) under {some(others)}, but not under the names of "
            f"the tensors of {name}; leave ema out to take the weights beside it"
        )
    return WeightsError(
        f"{path} holds no moving average (EMA) of the weights of {name}, which ema = true asks "
        "for; leave ema out to take the weights that it holds"
    )


def _place_of(found: Found) -> str:
    return way_to(found) or "at the top"


def _parting(checkpoint: Checkpoint, found: Found) -> str:
    """Return a command that writes the tensors behind one prefix into a file of their own."""
    name = re.sub(r"\W+", "_", found.prefix).strip("_") or "weights"
    program = (
        "from pathlib import Path; from safetensors.torch import save_file; "
        "from netstitch.networks.checkpoints.checkpoint_file import read_checkpoint; "
        f"p = {found.prefix!r}; c = read_checkpoint(Path({str(checkpoint.file)!r})); "
        "save_file({s.path.removeprefix(p): s.tensor.clone().contiguous() "
        f"for s in c.tensors if s.path.startswith(p)}}, {name + '.safetensors'!r})"
    )
    return f"python -c {shlex.quote(program)}"


def _does_not_fit(
    model: nn.Module, own: Mapping[str, Tensor], checkpoint: Checkpoint, nearest: Found | None
) -> WeightsError:
    """Return the error for weights that do not fit: what is missing and surplus.

    Where no name of the model's is there, that is of the dictionary with the most tensors.
    """
    if nearest is None:
        holders = Counter(stored.holder for stored in checkpoint.tensors)
        [(largest, _)] = holders.most_common(1)
        names = [stored.name for stored in checkpoint.tensors if stored.holder == largest]
        prefix = _common_prefix(names)
        nearest = Found(".".join((*largest, prefix)), {}, missing_of(own, set()), names)
    found, prefix = [], nearest.prefix
    if nearest.missing:
        missing = [_what_is_there(checkpoint, prefix, name) for name in nearest.missing]
        found.append(f"{len(missing)} tensors are missing: {some(missing)}")
    if nearest.surplus:
        found.append(f"{len(nearest.surplus)} are surplus: {some(nearest.surplus)}")
    behind = f" (its names have the prefix {brief(prefix)!r})" if prefix else ""
    part = re.search(r"-0*(\d+)-of-0*(\d+)\.", checkpoint.file.name)
    shard = f" is part {part.group(1)} of {part.group(2)} and" if part else ""
    return WeightsError(
        f"{shown(checkpoint.file)}{shard} does not fit {type(model).__name__}: {'; '.join(found)}"
        f"{behind}; expected the {len(own)} tensors of this model, give its own weights"
    )


def _common_prefix(names: list[str]) -> str:
    """Return what all names begin with, up to a dot and with it."""
    common = os.path.commonprefix(names)  # noqa: RUF071
    return common[: common.rfind(".") + 1]


def _what_is_there(checkpoint: Checkpoint, prefix: str, name: str) -> str:
    other = checkpoint.others.get(f"{prefix}{name}")
    return f"{name} (there is {other})" if other else name


def _same_shapes(found: Found, own: Mapping[str, Tensor]) -> bool:
    return all(
        not entry.tensor.is_nested and entry.tensor.shape == own[name].shape
        for name, entry in found.tensors.items()
    )

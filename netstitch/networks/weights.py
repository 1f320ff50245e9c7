"""A model's weights from a file, read without ever running what the file holds."""

import re
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path

from torch import Tensor, nn

from netstitch.errors import WeightsError
from netstitch.networks.checkpoints import Checkpoint, read_checkpoint
from netstitch.networks.file_kinds import printable, shown, some
from netstitch.networks.functions import one_line
from netstitch.networks.stored_tensors import (
    COUNTER,
    check_kinds,
    check_shapes,
    check_values,
    conversions,
    converted,
    place_of,
)
from netstitch.networks.unwrapping import (
    Found,
    averages_beside,
    called_average,
    distinct,
    find_weights,
    left_beside,
    way_to,
)

Told = Callable[[str], None]


def load_weights(
    model: nn.Module, path: Path, *, ema: bool = False, told: Told | None = None
) -> None:
    """Give a model the tensors of a file, all of them or none.

    The file is of safetensors, or of `torch.save` and read by torch's restricted reader, which
    its content says and not its name. It holds the model's state dict alone, or a trainer's
    checkpoint: the state dict is looked for under all of its keys, and under any prefix.

    Args:
        model: what the weights are for; they are copied into its own tensors and take their
            dtype.
        path: the file.
        ema: take the exponential moving average of weights that the file holds beside them.
        told: called with a line about where the weights were found, what was converted, and what
            stands beside them.

    Raises:
        WeightsError: the file is missing, damaged, of another kind, or a pickle of anything that
            is not known as harmless (which is not run); tensors are missing, surplus, of other
            shapes or kinds, or NaN; a parameter is infinite; more than one state dict fits, or
            the moving average is asked for and there is none.
    """
    own = {key: value for key, value in model.state_dict().items() if isinstance(value, Tensor)}
    checkpoint = read_checkpoint(path)
    taken = _chosen(model, own, checkpoint, ema)
    stored = {name: entry.tensor for name, entry in taken.tensors.items()}
    check_kinds(path, own, stored)
    check_shapes(path, own, stored)
    ready = {name: converted(tensor, own[name]) for name, tensor in stored.items()}
    check_values(path, model, own, stored, ready)
    try:
        model.load_state_dict(ready, strict=False)
    except Exception as error:  # of a model's own way of loading
        raise WeightsError(
            f"{shown(path)}: {type(model).__name__} does not take its tensors ({one_line(error)}); "
            "expected a model that loads its own state_dict"
        ) from error
    if told is not None:
        for line in _lines(checkpoint, taken, conversions(stored, own)):
            told(line)


def _chosen(model: nn.Module, own: dict[str, Tensor], checkpoint: Checkpoint, ema: bool) -> Found:
    path, name = shown(checkpoint.file), type(model).__name__
    found = find_weights(checkpoint, own, lambda names: _missing(own, set(names)))
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
        raise WeightsError(
            f"{path} holds no moving average (EMA) of the weights of {name}, which ema = true asks "
            "for; leave ema out to take the weights that it holds"
        )
    averages = [] if ema else [each for each in found if each.average and each.whole]
    if averages and not asked:
        raise WeightsError(
            f"{path} holds only a moving average (EMA) of the weights of {name}: "
            f"{_place_of(averages[0])}; to take it, set ema = true in its [[networks]] table, or "
            "ema=True in Python"
        )
    raise _does_not_fit(model, own, checkpoint, asked[0] if asked else None)


def _place_of(found: Found) -> str:
    return way_to(found) or "at the top"


def _parting(checkpoint: Checkpoint, found: Found) -> str:
    """A command that writes the tensors behind one prefix into a file of their own."""
    name = re.sub(r"\W+", "_", found.prefix).strip("_") or "weights"
    program = (
        "from pathlib import Path; from safetensors.torch import save_file; "
        "from netstitch.networks.checkpoints import read_checkpoint; "
        f"p = {found.prefix!r}; c = read_checkpoint(Path({str(checkpoint.file)!r})); "
        "save_file({s.path.removeprefix(p): s.tensor.clone().contiguous() "
        f"for s in c.tensors if s.path.startswith(p)}}, {name + '.safetensors'!r})"
    )
    return f"python -c {shlex.quote(program)}"


def _does_not_fit(
    model: nn.Module, own: dict[str, Tensor], checkpoint: Checkpoint, nearest: Found | None
) -> WeightsError:
    """What is missing and surplus where most of the model's names are, or else where most are."""
    if nearest is None:
        holders = [stored.holder for stored in checkpoint.tensors]
        largest = max(holders, key=holders.count) if len(set(holders)) > 1 else holders[0]
        names = [stored.name for stored in checkpoint.tensors if stored.holder == largest]
        prefix = _common_prefix(names)
        nearest = Found(".".join((*largest, prefix)), {}, _missing(own, set()), names)
    found, prefix = [], nearest.prefix
    if nearest.missing:
        missing = [_what_is_there(checkpoint, prefix, name) for name in nearest.missing]
        found.append(f"{len(missing)} tensors are missing: {some(missing)}")
    if nearest.surplus:
        found.append(f"{len(nearest.surplus)} are surplus: {some(nearest.surplus)}")
    behind = f" (its names have the prefix {printable(prefix)!r})" if prefix else ""
    part = re.search(r"-0*(\d+)-of-0*(\d+)\.", checkpoint.file.name)
    shard = f" is part {part.group(1)} of {part.group(2)} and" if part else ""
    return WeightsError(
        f"{shown(checkpoint.file)}{shard} does not fit {type(model).__name__}: {'; '.join(found)}"
        f"{behind}; expected the {len(own)} tensors of this model, give its own weights"
    )


def _common_prefix(names: list[str]) -> str:
    """What all names begin with, up to a dot and with it."""
    first, prefix = names[0].split(".")[:-1], ""
    for part in first:
        if not all(name.startswith(f"{prefix}{part}.") for name in names):
            break
        prefix += f"{part}."
    return prefix


def _what_is_there(checkpoint: Checkpoint, prefix: str, name: str) -> str:
    other = checkpoint.others.get(f"{prefix}{name}")
    return f"{name} (there is {other})" if other else name


def _missing(own: dict[str, Tensor], given: set[str]) -> list[str]:
    places = {place_of(own[key]) for key in given}
    return [
        key
        for key, tensor in own.items()
        if key not in given
        # One of two names of a shared tensor is enough, and files of older versions of PyTorch
        # lack the counter, which evaluation does not use.
        and place_of(tensor) not in places
        and not key.endswith(COUNTER)
    ]


def _same_shapes(found: Found, own: dict[str, Tensor]) -> bool:
    return all(
        not entry.tensor.is_nested and entry.tensor.shape == own[name].shape
        for name, entry in found.tensors.items()
    )


def _lines(checkpoint: Checkpoint, taken: Found, converted: Iterable[str]) -> list[str]:
    """What a user should know of how weights were found, a line each."""
    name = shown(Path(checkpoint.file.name))
    way = way_to(taken)
    called = "the moving average (EMA) of the weights" if taken.average else "weights"
    parts = []
    left = [each for each in left_beside(checkpoint, taken) if not called_average(each)]
    if left:
        parts.append(f"not taken: {some(left)}")
    parts += converted
    if way:
        lines = ["; ".join([f"{called} of {name} stand{'s' * taken.average} {way}", *parts])]
    else:
        lines = [f"{called} of {name}: {'; '.join(parts)}"] if parts else []
    averages = averages_beside(checkpoint, taken)
    if averages and not taken.average:
        lines.append(
            f"{name} also holds a moving average (EMA) of its weights ({some(averages)}), which is "
            "not taken; ema = true takes it"
        )
    return lines

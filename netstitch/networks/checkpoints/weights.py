"""A model's weights from a file, read without ever running what the file holds."""

import os
import re
import shlex
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from torch import Tensor, nn

from netstitch.errors import WeightsError
from netstitch.networks.checkpoints.checkpoint_file import Checkpoint, read_checkpoint
from netstitch.networks.checkpoints.file_kinds import brief, shown, some
from netstitch.networks.checkpoints.stored_tensors import (
    Tensors,
    check_kinds,
    check_shapes,
    check_values,
    conversions,
    converted,
    missing_of,
)
from netstitch.networks.checkpoints.unwrapping import (
    Found,
    averages_beside,
    called_average,
    distinct,
    find_weights,
    way_to,
)
from netstitch.text import one_line

Log = Callable[[str], None]
"""Called with a line of text."""


def load_weights(
    model: nn.Module, path: Path | str, *, ema: bool = False, log: Log | None = None
) -> None:
    """Give a model the tensors of a file, all of them or none.

    The file's content says what wrote it, safetensors or `torch.save`, and is read without running
    anything. The model's state dict is looked for under all keys and any prefix.

    Args:
        model: The one that the weights are for; they are copied into its own tensors and take
            their dtype.
        path: The file.
        ema: Take the exponential moving average of weights that the file holds beside them.
        log: Called with a line about where the weights were found, what was converted, and what
            stands beside them.

    Raises:
        WeightsError: When the file cannot be read, tensors are missing, surplus, of other shapes or
            kinds, or not finite; more than one state dict fits, or no average that is asked for.
    """
    own = {key: value for key, value in model.state_dict().items() if isinstance(value, Tensor)}
    path = Path(path)
    checkpoint = read_checkpoint(path)
    found = find_weights(checkpoint, own)
    taken = _choose(model, own, checkpoint, found, ema)
    stored = _tensors_of(taken)
    check_kinds(path, own, stored)
    check_shapes(path, own, stored)
    ready = {name: converted(tensor, own[name]) for name, tensor in stored.items()}
    check_values(path, model, own, stored, ready)
    try:
        model.load_state_dict(ready, strict=False)
    except Exception as error:  # of a model's own way of loading
        raise WeightsError(
            f"{shown(path)}: {type(model).__name__} does not take its tensors "
            f"({one_line(error, kind=True)}); expected a model that loads its own state_dict"
        ) from error
    if log is not None:
        for line in _lines(checkpoint, found, taken, conversions(own, stored)):
            log(line)


def _lines(
    checkpoint: Checkpoint, found: list[Found], taken: Found, converted: list[str]
) -> list[str]:
    """Return lines on where weights were found, what was converted, and what was not taken."""
    name = shown(Path(checkpoint.file.name))
    way = way_to(taken)
    own = {id(stored) for stored in taken.tensors.values()}
    left = [
        stored.name
        for stored in checkpoint.tensors
        if stored.holder in taken.holders
        and id(stored) not in own
        and not called_average(stored.name)
    ]
    parts = [*([f"not taken: {some(left)}"] if left else []), *converted]
    if taken.average:
        parts.insert(0, f"the moving average (EMA) of the weights of {name} stands {way}")
    elif way:
        parts.insert(0, f"weights of {name} stand {way}")
    elif parts:
        parts[0] = f"weights of {name}: {parts[0]}"
    lines = ["; ".join(parts)] if parts else []
    averages = averages_beside(checkpoint, taken)
    if averages and not taken.average:
        fits = any(each.average and each.whole for each in found)
        lines.append(
            f"{name} also holds a moving average (EMA) of its weights ({some(averages)}), which is "
            f"not taken{'; ema = true takes it' if fits else ', and does not fit the model'}"
        )
    return lines


def _choose(
    model: nn.Module, own: Tensors, checkpoint: Checkpoint, found: list[Found], ema: bool
) -> Found:
    """Return the weights to take, or raise WeightsError with why there are none to be taken."""
    path, name = shown(checkpoint.file), type(model).__name__
    of_kind = [each for each in found if each.average == ema]
    whole = [each for each in of_kind if each.whole]
    best = distinct([each for each in whole if _same_shapes(each, own)]) or whole[:1]
    if len(best) > 1:
        places = " and ".join(way_to(each) or "at the top" for each in best)
        raise WeightsError(
            f"{path} holds {len(best)} sets of weights that fit {name}, and it is not said which "
            f"is meant: {places}; write the one that is meant into a file of its own: "
            f"{_parting(checkpoint, best[-1])}"
        )
    if best:
        return best[0]
    if ema and not of_kind:
        others = some(averages_beside(checkpoint))
        there = f" under {others}, but not under the names of the tensors" if others else ""
        raise WeightsError(
            f"{path} holds {'a' if others else 'no'} moving average (EMA){there} of {name}, which "
            "ema = true asks for; leave ema out to take the weights that it holds"
        )
    averages = [] if ema else [each for each in found if each.average and each.whole]
    if averages and not of_kind:
        raise WeightsError(
            f"{path} holds only a moving average (EMA) of the weights of {name}: "
            f"{way_to(averages[0])}; to take it, set ema = true in its [[networks]] table, or "
            "ema=True in Python"
        )
    if of_kind:  # what is quantised has further tensors, of which that is the reason
        check_kinds(checkpoint.file, own, _tensors_of(of_kind[0]))
    raise _does_not_fit(model, own, checkpoint, of_kind[0] if of_kind else None)


def _tensors_of(found: Found) -> Tensors:
    return {name: stored.tensor for name, stored in found.tensors.items()}


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
    model: nn.Module, own: Tensors, checkpoint: Checkpoint, nearest: Found | None
) -> WeightsError:
    """Return the error for weights that do not fit: what is missing and surplus.

    Where no name of the model's is there, that is of the dictionary with the most tensors.
    """
    if nearest is None:
        holders = Counter(stored.holder for stored in checkpoint.tensors)
        [(largest, _)] = holders.most_common(1)
        names = [stored.name for stored in checkpoint.tensors if stored.holder == largest]
        common = os.path.commonprefix(names)  # noqa: RUF071
        prefix = common[: common.rfind(".") + 1]
        nearest = Found(".".join((*largest, prefix)), {}, missing_of(own, ()), names)
    found, prefix = [], nearest.prefix
    if nearest.missing:
        others = checkpoint.others
        missing = [
            f"{name} (there is {others[prefix + name]})" if prefix + name in others else name
            for name in nearest.missing
        ]
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


def _same_shapes(found: Found, own: Tensors) -> bool:
    return all(
        not entry.tensor.is_nested and entry.tensor.shape == own[name].shape
        for name, entry in found.tensors.items()
    )

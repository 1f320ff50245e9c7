"""A model's weights from a file, read without ever running what the file holds."""

from collections.abc import Callable, Iterable
from pathlib import Path

from torch import Tensor, nn

from netstitch.errors import WeightsError
from netstitch.networks.checkpoints.checkpoint_file import Checkpoint, read_checkpoint
from netstitch.networks.checkpoints.file_kinds import shown, some
from netstitch.networks.checkpoints.stored_tensors import (
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
    find_weights,
    left_beside,
    way_to,
)
from netstitch.networks.checkpoints.weights_choice import choose, tensors_of
from netstitch.text import one_line

Log = Callable[[str], None]
"""Called with a line of text."""


def load_weights(
    model: nn.Module, path: Path | str, *, ema: bool = False, log: Log | None = None
) -> None:
    """Give a model the tensors of a file, all of them or none.

    The file is of safetensors, or of `torch.save` and read by torch's restricted reader, which
    its content says and not its name. It holds the model's state dict alone, or a trainer's
    checkpoint: the state dict is looked for under all of its keys, and under any prefix.

    Args:
        model: The one that the weights are for; they are copied into its own tensors and take
            their dtype.
        path: The file.
        ema: Take the exponential moving average of weights that the file holds beside them.
        log: Called with a line about where the weights were found, what was converted, and what
            stands beside them.

    Raises:
        WeightsError: When the file is missing, damaged, of another kind, or a pickle of anything
            that is not known as harmless (which is not run); tensors are missing, surplus, of other
            shapes or kinds, or NaN; a parameter is infinite; more than one state dict fits, or
            the moving average is asked for and there is none.
    """
    own = {key: value for key, value in model.state_dict().items() if isinstance(value, Tensor)}
    path = Path(path)
    checkpoint = read_checkpoint(path)
    found = find_weights(checkpoint, own, lambda names: missing_of(own, set(names)))
    taken = choose(model, own, checkpoint, found, ema)
    stored = tensors_of(taken)
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
        for line in _lines(checkpoint, found, taken, conversions(stored, own)):
            log(line)


def _lines(
    checkpoint: Checkpoint, found: list[Found], taken: Found, converted: Iterable[str]
) -> list[str]:
    """Return lines on where weights were found, what was converted, and what was not taken."""
    name = shown(Path(checkpoint.file.name))
    way = way_to(taken)
    left = [each for each in left_beside(checkpoint, taken) if not called_average(each)]
    parts = [f"not taken: {some(left)}"] if left else []
    parts += converted
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

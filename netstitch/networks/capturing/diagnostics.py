"""The reason that a model could not be exported, in one line that names the user's own source."""

import linecache
import logging
import re
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path

import sympy  # type: ignore[import-untyped]
import torch
from torch.export import ExportedProgram

_TORCH = (str(Path(torch.__file__).parent), str(Path(sympy.__file__).parent))
_OURS = str(Path(__file__).parent.parent)
_LIBRARY = sysconfig.get_paths()["stdlib"]
_GUARDS = "torch.fx.experimental.symbolic_shapes"
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


def explain(error: BaseException, line: str | None = None, hint: str | None = None) -> str:
    """Return one line: the operation where it is named, the user's source line, and the reason.

    The line is found in the error unless it is given; a hint says what to do.
    """
    where = line or source_line(error)
    operation = re.search(r"\b(?:aten|torch\.ops\.\w+)\.\w+(?:\.\w+)?", str(error))
    parts = ["it cannot be exported"]
    if operation:
        parts.append(f"operation {operation.group(0)}")
    if where:
        parts.append(f"at {where}")
    needed = (
        "netstitch needs a model that torch.export takes with a free batch size and one input "
        "tensor"
    )
    return f"{', '.join(parts)}: {_reason(error)}; {hint or needed}"


def fixes_batch(error: BaseException) -> bool:
    """Return whether export failed because the model works for some batch sizes only."""
    return "Constraints violated" in str(error) or "specialized" in str(error)


def batch_line(run: Callable[[], object]) -> str | None:
    """Return the user's line that fixes the batch size, by running the failing export again.

    Export names no place in its error; while it runs, its log does.
    """
    line: str | None = None

    def notice(record: logging.LogRecord) -> bool:
        """Keep where the last assumption about a size was made; nothing is logged."""
        nonlocal line
        if "guard added" in str(record.msg):
            frames = traceback.extract_stack()
            ours = [i for i, frame in enumerate(frames) if frame.filename.startswith(_OURS)]
            # The last one is this function, and the one before it started the export.
            inside = frames[ours[-2] if len(ours) > 1 else 0 :]
            users = [frame for frame in inside if _is_users(frame.filename)]
            line = _described(users[-1]) if users else line
        return False

    log = logging.getLogger(_GUARDS)
    level, disabled = log.level, logging.root.manager.disable
    logging.disable(logging.NOTSET)
    log.setLevel(logging.INFO)
    log.addFilter(notice)
    try:
        run()
    except Exception:
        return line
    finally:
        log.removeFilter(notice)
        log.setLevel(level)
        logging.disable(disabled)
    return None


def squeeze_line(program: ExportedProgram) -> str | None:
    """Return the user's line of a squeeze that would drop the batch of a single sample."""
    for node in program.graph.nodes:
        if node.op != "call_function" or not str(node.target).startswith("aten.squeeze."):
            continue
        value = node.args[0].meta["val"]
        # A plain number is no size of the batch, or one that is never 1.
        if not value.dim() or isinstance(value.shape[0], int):
            continue
        axes = node.args[1] if len(node.args) > 1 else 0
        axes = axes if isinstance(axes, list | tuple) else (axes,)
        if any(axis % value.dim() == 0 for axis in axes):
            return last_users_line(node.meta.get("stack_trace") or "")
    return None


def source_line(error: BaseException) -> str | None:
    """Return `file:line: code` of the innermost line outside torch and the standard library."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_users(frame.filename):
            return _described(frame)
    return last_users_line(str(error))


def _described(frame: traceback.FrameSummary) -> str:
    return f"{frame.filename}:{frame.lineno}: `{frame.line}`"


def last_users_line(trace: str) -> str | None:
    """Return the same, from the text of a stack trace."""
    for file, line in reversed(_FRAME.findall(trace)):
        if _is_users(file):
            code = linecache.getline(file, int(line)).strip()
            return f"{file}:{line}: `{code}`"
    return None


def _is_users(file: str) -> bool:
    if file.startswith((*_TORCH, _OURS, "<")):
        return False
    return not file.startswith(_LIBRARY) or "site-packages" in file


def _reason(error: BaseException) -> str:
    text = str(error).strip()
    if "data-dependent" in text:
        return "its control flow depends on the data"
    if fixes_batch(error):
        return "it fixes the batch size"
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return (first or type(error).__name__)[:200].rstrip(".;:")

"""The reason that a model could not be exported, in one line that names the user's own source."""

import linecache
import logging
import re
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sympy  # type: ignore[import-untyped]
import torch
from torch import Tensor, fx
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
    log, listener = logging.getLogger(_GUARDS), _Listener()
    level, disabled, propagate = log.level, logging.root.manager.disable, log.propagate
    logging.disable(logging.NOTSET)
    log.setLevel(logging.INFO)
    log.propagate = False
    others, log.handlers = log.handlers, [listener]
    try:
        run()
    except Exception:
        return listener.line
    finally:
        log.handlers = others
        log.propagate = propagate
        log.setLevel(level)
        logging.disable(disabled)
    return None


def squeeze_line(program: ExportedProgram) -> str | None:
    """Return the user's line of a squeeze that would drop the batch of a single sample."""
    for node in program.graph.nodes:
        value = node.args[0].meta.get("val") if node.args and _is_squeeze(node) else None
        if not isinstance(value, Tensor) or not value.dim():
            continue
        first: Any = value.shape[0]
        if isinstance(first, int):  # no size of the batch, or one that is never 1
            continue
        axes = node.args[1] if len(node.args) > 1 else 0
        axes = axes if isinstance(axes, list | tuple) else (axes,)
        if any(axis % value.dim() == 0 for axis in axes):
            return last_users_line(node.meta.get("stack_trace") or "")
    return None


def _is_squeeze(node: fx.Node) -> bool:
    return node.op == "call_function" and str(node.target).startswith("aten.squeeze.")


class _Listener(logging.Handler):
    """Keeps where the last assumption about a size was made."""

    line: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if "guard added" not in str(record.msg):
            return
        frames = traceback.extract_stack()
        ours = [i for i, frame in enumerate(frames) if frame.filename.startswith(_OURS)]
        inside = frames[next((i for i in reversed(ours[:-1])), 0) :]
        for frame in reversed(inside):
            if _is_users(frame.filename):
                self.line = _described(frame)
                return


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

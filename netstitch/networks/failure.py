"""Why a model could not be exported, in one line that names the user's own source."""

import linecache
import re
import sysconfig
import traceback
from pathlib import Path

import sympy  # type: ignore[import-untyped]
import torch

_TORCH = (str(Path(torch.__file__).parent), str(Path(sympy.__file__).parent))
_OURS = str(Path(__file__).parent.parent)
_LIBRARY = sysconfig.get_paths()["stdlib"]
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


def explain(title: str, error: BaseException) -> str:
    """One line: model, operation where it is named, the user's source line, and the reason."""
    where = source_line(error)
    operation = re.search(r"\b(?:aten|torch\.ops\.\w+)\.\w+(?:\.\w+)?", str(error))
    parts = [f"{title} cannot be exported"]
    if operation:
        parts.append(f"operation {operation.group(0)}")
    if where:
        parts.append(f"at {where}")
    return (
        f"{', '.join(parts)}: {_reason(error)}; netstitch needs a model that torch.export takes "
        "with a free batch size and one input tensor"
    )


def source_line(error: BaseException) -> str | None:
    """`file:line: code` of the innermost line outside torch and the standard library."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_users(frame.filename):
            return f"{frame.filename}:{frame.lineno}: `{frame.line}`"
    return last_users_line(str(error))


def last_users_line(trace: str) -> str | None:
    """The same, from the text of a stack trace."""
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
    if "Constraints violated" in text or "specialized" in text:
        return "it fixes the batch size"
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return (first or type(error).__name__)[:200].rstrip(".;:")

"""The kind of a file given as weights, told by its first bytes and never by its name."""

import json
import os
import re
import shlex
import tarfile
import zipfile
from pathlib import Path
from typing import Literal

from netstitch.errors import WeightsError

Kind = Literal["safetensors", "torch"]

HEAD = 4096
LONGEST_HEADER = 100_000_000
"""Bytes that the header of a safetensors file has at most, as its own reader has it."""
TORCH_MAGIC = b"l\xfc\x9cF\xf9 j\xa8P\x19"
"""What `torch.save` began its files with before it wrote zip archives, near their start."""
LONGEST_INDEX = 50_000_000
LONGEST_NAME = 160
SHOWN = 3
ENDING = re.compile(r"\.(safetensors|pth\.tar|pth|pt|bin|th|ckpt)$", re.IGNORECASE)

SAVE = "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')"
ADVICE = f"where the model was made, save its state_dict: {SAVE}"
AGAIN = "get the file again"
UNPACK = "unpack it and give the file of weights that is in it"

PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
FOREIGN = (
    *((magic, f"compressed by {by}", UNPACK) for magic, by in PACKED.items()),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (b"PK\x05\x06", "a zip archive without files", AGAIN),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as Keras writes", ADVICE),
    (b"GGUF", "a GGUF file", ADVICE),
    (b"\x93NUMPY", "an array of NumPy's", ADVICE),
)


def kind_of(path: Path) -> Kind:
    """Return which of the kinds that are read a file is of.

    Raises:
        WeightsError: With what it is instead and what to do: nothing at all, a folder, empty, a
            page, a pointer to a file elsewhere, an archive, or another program's format.
    """
    if os.path.isdir(path):  # and not Path's, which raise for what may not be looked at
        raise WeightsError(f"{shown(path)} is a folder; give {_files_in(path)}")
    if not os.path.exists(path):
        raise WeightsError(f"weights file {shown(path)} is not there; check the path")
    if not os.path.isfile(path):
        raise WeightsError(f"{shown(path)} is no regular file; expected a file of weights")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise WeightsError(
            f"{shown(path)} cannot be read ({error.strerror}); make it readable, or give a copy"
        ) from error
    if not head:
        raise WeightsError(f"{shown(path)} is empty (0 bytes), not weights; {AGAIN}")
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= LONGEST_HEADER:
        return "safetensors"
    if head.startswith(b"PK\x03\x04"):
        return _torch_zip(path)
    if TORCH_MAGIC in head[:32]:
        return "torch"
    what, advice = _foreign(path, head)
    raise WeightsError(f"{shown(path)} is {what}, not weights that are read; {advice}")


def shown(path: Path) -> str:
    """Return a path as text that can be printed, whatever bytes its name is made of."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _torch_zip(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception as error:  # of a hostile directory too
        raise WeightsError(
            f"{shown(path)} is a zip archive that is cut off or damaged "
            f"({path.stat().st_size:,} bytes); {AGAIN}"
        ) from error
    files = {name.partition("/")[2] or name for name in names} | set(names)
    if "constants.pkl" in files:
        what, advice = "a TorchScript archive, a program", ADVICE
    elif "data.pkl" in files:
        return "torch"
    elif files & {"archive_format", "serialized_exported_program.json"}:
        what, advice = "an archive of torch.export (.pt2), a program", ADVICE
    elif "model.weights.h5" in files:
        what, advice = "a model of Keras (.keras)", ADVICE
    elif all(name.endswith(".npy") for name in names):
        what, advice = "an archive of NumPy's arrays (.npz)", ADVICE
    else:
        what, advice = f"a zip archive of {some(names)}", UNPACK
    raise WeightsError(f"{shown(path)} is {what}, not weights that are read; {advice}")


def _foreign(path: Path, head: bytes) -> tuple[str, str]:
    """Return what a file is, and what to do about it."""
    for magic, what, advice in FOREIGN:
        if head.startswith(magic):
            return what, advice
    if not head.strip(b"\0"):
        return "zeros where a file should begin", AGAIN
    if head[0] == 0x80 and head[1:2] <= b"\x05":
        return "a plain pickle, which could run code and was not run", ADVICE
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite file", ADVICE
    if re.match(rb"\x08[\x01-\x20]\x12", head):
        return "an ONNX file", ADVICE
    if head[257:262] == b"ustar" or _is_tar(path):
        return _tar(path)
    if (text := _text(head)) is not None:
        return _written(path, text)
    begin = head[:4].hex(" ")
    return f"of no known kind (it begins with the bytes {begin})", f"{AGAIN}, or {ADVICE}"


def _is_tar(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except Exception:  # damage shows in many ways, and is then no tar archive
        return False


def _tar(path: Path) -> tuple[str, str]:
    try:
        with tarfile.open(path, "r:") as archive:
            names = [member.name for member, _ in zip(archive, range(4), strict=False)]
    except Exception:  # damage shows in many ways
        return "a damaged tar archive", AGAIN
    if "storages" in names:
        return "in the format that torch.save had until 2017, which could run code", ADVICE
    return f"a tar archive of {some(names)}", UNPACK


def _text(head: bytes) -> str | None:
    """Return the start of a file of text; None for any other."""
    if head.lstrip()[:1] == b"<":  # of a page, in whatever encoding
        return head.decode("utf-8", "replace").strip()
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = head[: len(head) // 2 * 2].decode("utf-16", "replace")
    else:
        try:
            text = head.removeprefix(b"\xef\xbb\xbf").decode()
        except UnicodeDecodeError as error:
            if len(head) < HEAD or error.start < HEAD - 4:
                return None
            text = head[: error.start].decode()
    text = text.strip()
    return text if text and all(c.isprintable() or c in "\r\n\t\f" for c in text) else None


def _written(path: Path, text: str) -> tuple[str, str]:
    folder, name = shlex.quote(shown(path.absolute().parent)), shlex.quote(shown(Path(path.name)))
    if text.startswith(("version https://git-lfs", "version http://git-media", "oid sha256:")):
        pull = f"git -C {folder} lfs pull --include {name}"
        return "a Git LFS pointer to a file elsewhere", f"fetch it: {pull}"
    if "/annex/objects/" in text[:300]:
        fetch = f"fetch it: git -C {folder} annex get {name}"
        return "a git-annex pointer to a file elsewhere", fetch
    if text[0] == "<" and re.search(r"<(!doctype )?(html|head|body|title|script|p)\b", text, re.I):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S)
        called = f" ({_first_line(title.group(1))!r})" if title else ""
        return f"an HTML page{called}", f"the download gave a page instead of the file: {AGAIN}"
    if text.startswith("<"):
        return f"an XML document ({_first_line(text)!r})", AGAIN
    if text.startswith(("{", "[")):
        return _json(path, text)
    return f"text ({_first_line(text)!r})", f"{AGAIN}, or {ADVICE}"


def _json(path: Path, text: str) -> tuple[str, str]:
    try:
        if path.stat().st_size > LONGEST_INDEX:
            raise ValueError("more than an index is")
        content = json.loads(path.read_bytes())
        shards = sorted({str(shard) for shard in content["weight_map"].values()})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return f"JSON ({_first_line(text)!r})", AGAIN
    return (
        f"the index of weights that are split over {len(shards)} files ({some(shards)})",
        f"join them: python -c {shlex.quote(_joining(path, shards))}, and give that file",
    )


def _joining(path: Path, shards: list[str]) -> str:
    """Return a program that writes one file of the shards that an index names."""
    if all(shard.endswith(".safetensors") for shard in shards):
        read, imported = "load_file(d / f)", "load_file, save_file"
    else:
        read, imported = "torch.load(d / f, map_location='cpu', weights_only=True)", "save_file"
    return (
        f"import json, torch; from pathlib import Path; from safetensors.torch import {imported}; "
        f"i = Path({str(path)!r}); d = i.parent; "
        "files = set(json.loads(i.read_text())['weight_map'].values()); "
        f"save_file({{k: t.clone() for f in files for k, t in {read}.items()}}, "
        "d / 'joined.safetensors')"
    )


def _files_in(folder: Path) -> str:
    """Return what to give instead of a folder: the files in it that may be weights."""
    try:
        names = sorted(path.name for path in folder.iterdir() if has_ending(path.name))
    except OSError:
        names = []
    return f"a file in it, such as {some(names)}" if names else "a file of weights"


def has_ending(name: str) -> bool:
    """Return whether a file's name ends as those of weights do, in any case of letters."""
    return bare_name(name) != name


def bare_name(name: str) -> str:
    """Return a file's name without the ending that weights have."""
    return ENDING.sub("", name)


def some(names: list[str]) -> str:
    """Return the first of names that a file gives, as one line, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(brief(name) for name in names[:SHOWN]) + more


def brief(text: str) -> str:
    """Return what a file gives as text without what a terminal would act on, and not too long."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown if len(shown) <= LONGEST_NAME else f"{shown[:LONGEST_NAME]}..."


def _first_line(text: str) -> str:
    return " ".join(text.split())[:60]

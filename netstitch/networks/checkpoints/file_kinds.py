"""The kind of a file given as weights, told by its first bytes and never by its name."""

import codecs
import json
import os
import re
import shlex
import tarfile
import zipfile
from pathlib import Path
from typing import Literal

from netstitch.errors import WeightsError
from netstitch.text import first_of, printable, unbroken

FileKind = Literal["safetensors", "torch"]

HEAD = 4096
LONGEST_HEADER = 100_000_000
"""Bytes that the header of a safetensors file has at most, as its own reader has it."""
TORCH_MAGIC = b"l\xfc\x9cF\xf9 j\xa8P\x19"
"""The mark near the start of files that `torch.save` wrote before it wrote zip archives."""
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
    *((re.escape(magic), f"compressed by {by}", UNPACK) for magic, by in PACKED.items()),
    (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (rb"Rar!\x1a\x07", "a RAR archive", UNPACK),
    (rb"PK\x05\x06", "a zip archive without files", AGAIN),
    (rb"\x89HDF\r\n\x1a\n", "an HDF5 file, such as Keras writes", ADVICE),
    (rb"GGUF", "a GGUF file", ADVICE),
    (rb"\x93NUMPY", "an array of NumPy's", ADVICE),
    (rb"\0+\Z", "zeros where a file should begin", AGAIN),
    (rb"\x80[\0-\x05]", "a plain pickle, which could run code and was not run", ADVICE),
    (rb"....TFL3", "a TensorFlow Lite file", ADVICE),
    (rb"\x08[\x01-\x20]\x12", "an ONNX file", ADVICE),
)
"""The beginnings of files of other kinds, what these are, and what to do about it."""
PROGRAMS = (
    ("constants.pkl", "a TorchScript archive, a program"),
    ("archive_format", "an archive of torch.export (.pt2), a program"),
    ("serialized_exported_program.json", "an archive of torch.export (.pt2), a program"),
    ("model.weights.h5", "a model of Keras (.keras)"),
)
"""Files in zip archives of other kinds, and what the archives are."""


def kind_of(path: Path) -> FileKind:
    """Return the kind of a file, one of those that are read.

    Raises:
        WeightsError: With what it is instead, such as a page or an archive, and what to do.
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
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= LONGEST_HEADER:
        return "safetensors"
    zipped = _zipped(path) if head.startswith(b"PK\x03\x04") else None
    if zipped == "torch" or TORCH_MAGIC in head[:32]:
        return "torch"
    what, advice = zipped or _foreign(path, head)
    raise WeightsError(f"{shown(path)} is {what}, not weights that are read; {advice}")


def shown(path: Path) -> str:
    """Return a path as text that can be printed, whatever bytes its name is made of."""
    return printable(str(path))


def _zipped(path: Path) -> Literal["torch"] | tuple[str, str]:
    """Return whose zip archive a file is, or what it is instead and what to do about it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # of a hostile directory too
        size = path.stat().st_size
        return f"a zip archive that is cut off or damaged ({size:,} bytes)", AGAIN
    files = {name.partition("/")[2] or name for name in names} | set(names)
    for inside, what in PROGRAMS:
        if inside in files:
            return what, ADVICE
    if "data.pkl" in files:
        return "torch"
    if all(name.endswith(".npy") for name in names):
        return "an archive of NumPy's arrays (.npz)", ADVICE
    return f"a zip archive of {some(names)}", UNPACK


def _foreign(path: Path, head: bytes) -> tuple[str, str]:
    """Return the kind of a file in words, and a remedy."""
    if not head:
        return "empty (0 bytes)", AGAIN
    for pattern, what, advice in FOREIGN:
        if re.match(pattern, head, re.DOTALL):
            return what, advice
    if names := _files_of_tar(path):
        if "storages" in names:
            return "in the format that torch.save had until 2017, which could run code", ADVICE
        return f"a tar archive of {some(names)}", UNPACK
    if text := _text(head):
        return _written(path, text)
    begin = head[:4].hex(" ")
    return f"of no known kind (it begins with the bytes {begin})", f"{AGAIN}, or {ADVICE}"


def _files_of_tar(path: Path) -> list[str]:
    """Return the first files of a tar archive; none of anything else."""
    try:
        with tarfile.open(path, "r:") as archive:
            return [member.name for member, _ in zip(archive, range(4), strict=False)]
    except Exception:  # damage shows in many ways
        return []


def _text(head: bytes) -> str:
    """Return the start of a file of text; nothing for any other."""
    if head.lstrip()[:1] == b"<":  # of a page, in whatever encoding
        return head.decode("utf-8", "replace").strip()
    wide = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    decode = codecs.utf_16_decode if wide else codecs.utf_8_decode
    try:
        # The last character may be cut off.
        text = decode(head.removeprefix(codecs.BOM_UTF8), "strict", False)[0].strip()
    except UnicodeDecodeError:
        return ""
    return text if all(c.isprintable() or c in "\r\n\t\f" for c in text) else ""


def _written(path: Path, text: str) -> tuple[str, str]:
    """Return the kind of a file of text in words, and a remedy."""
    folder, name = shlex.quote(shown(path.absolute().parent)), shlex.quote(shown(Path(path.name)))
    fetch = f"fetch it: git -C {folder}"
    if text.startswith(("version https://git-lfs", "version http://git-media", "oid sha256:")):
        return "a Git LFS pointer to a file elsewhere", f"{fetch} lfs pull --include {name}"
    if "/annex/objects/" in text[:300]:
        return "a git-annex pointer to a file elsewhere", f"{fetch} annex get {name}"
    first = f"({unbroken(text)[:60]!r})"
    if text[0] == "<" and re.search(r"<(!doctype )?(html|head|body|title|script|p)\b", text, re.I):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S)
        called = f" ({unbroken(title.group(1))[:60]!r})" if title else ""
        return f"an HTML page{called}", f"the download gave a page instead of the file: {AGAIN}"
    if text.startswith("<"):
        return f"an XML document {first}", AGAIN
    if not text.startswith(("{", "[")):
        return f"text {first}", f"{AGAIN}, or {ADVICE}"
    shards = _shards(path)
    if not shards:
        return f"JSON {first}", AGAIN
    program = (
        "import json; from pathlib import Path; from safetensors.torch import save_file; "
        "from netstitch.networks.checkpoints.checkpoint_file import read_checkpoint; "
        f"i = Path({str(path)!r}); d = i.parent; "
        "files = set(json.loads(i.read_text())['weight_map'].values()); "
        "save_file({s.path: s.tensor.clone().contiguous() for f in files "
        "for s in read_checkpoint(d / f).tensors}, d / 'joined.safetensors')"
    )
    return (
        f"the index of weights that are split over {len(shards)} files ({some(shards)})",
        f"join them: python -c {shlex.quote(program)}, and give that file",
    )


def _shards(path: Path) -> list[str]:
    """Return the files that an index of split weights names; none for other JSON."""
    try:
        if path.stat().st_size > LONGEST_INDEX:
            return []
        content = json.loads(path.read_bytes())
        return sorted({str(shard) for shard in content["weight_map"].values()})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def _files_in(folder: Path) -> str:
    """Return words on the files in a folder that may be weights, to be given instead of it."""
    try:
        names = sorted(path.name for path in folder.iterdir() if ENDING.search(path.name))
    except OSError:
        names = []
    return f"a file in it, such as {some(names)}" if names else "a file of weights"


def bare_name(name: str) -> str:
    """Return a file's name without the ending that weights have, in any case of letters."""
    return ENDING.sub("", name)


def some(names: list[str]) -> str:
    """Return the first of names that a file gives, as one line, and how many more there are."""
    return first_of([brief(name) for name in names], SHOWN)


def brief(text: str) -> str:
    """Return text of a file, shortened, and without characters that a terminal would act on."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown if len(shown) <= LONGEST_NAME else f"{shown[:LONGEST_NAME]}..."

"""Image files: which ones are read, and opening them."""

import os
from functools import cache
from pathlib import Path

from PIL import Image, TiffImagePlugin

from netstitch.errors import DataError
from netstitch.text import unbroken

FORMATS = (
    "AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "QOI", "SGI", "TGA",
    "TIFF", "WEBP",
)  # fmt: skip
"""Pillow's formats that are read. Others hold no single picture, or run a program to draw one."""
OTHERS = {".apng", ".avifs", ".pfm"}
"""Endings of moving pictures, and of floating-point numbers, among these formats."""
KIND_OF_PICTURE, REDUCED = 254, 1
"""The tag of a picture in a file of TIFF, and its bit for a smaller version of another one."""
PAGED = (".gif", ".tif", ".tiff")
"""Endings of kinds that may hold several pictures, which Pillow counts without reading them."""

ENDINGS = ".jpg, .jpeg, .png, .webp, .bmp, .tif and the like"
"""Endings of images, as a part of a message."""
LEFT_BEHIND = ("thumbs.db", "desktop.ini", "__macosx", "lost+found", "@eadir", "$recycle.bin")


@cache
def formats() -> tuple[str, ...]:
    """Return the formats that this build of Pillow reads, of those that are wanted."""
    Image.init()
    return tuple(kind for kind in FORMATS if kind in Image.OPEN)


@cache
def extensions() -> frozenset[str]:
    """Return the endings of images in these formats."""
    endings = Image.registered_extensions().items()
    return frozenset(ending for ending, kind in endings if kind in formats()) - OTHERS


def is_left_behind(name: str) -> bool:
    """Return whether a file or folder is hidden, or what systems and file managers leave."""
    return name.startswith(".") or name.lower() in LEFT_BEHIND


def is_named_as_image(name: str) -> bool:
    """Return whether a file that is not hidden has the name of an image."""
    return os.path.splitext(name)[1].lower() in extensions()


def holds_several(file: Path | str) -> bool:
    """Return whether an image file holds several pictures, such as an animation or pages.

    Only the heads of kinds that may are looked into. A damaged file holds one, so that whoever
    opens it says what is wrong with it.
    """
    name = str(file).lower()
    try:
        if name.endswith(PAGED):
            with Image.open(file, formats=formats()) as opened:
                return bool(getattr(opened, "is_animated", False)) and not _has_previews(opened)
        if not name.endswith((".avif", ".webp")):
            return False
        # Pillow would read these whole, and there may be a million.
        with open(file, "rb") as content:
            head = content.read(21)
    except Exception:  # damage shows in many ways
        return False
    if head[12:16] == b"VP8X":
        return bool(head[20:] and head[20] & 2)
    return head[4:12] == b"ftypavis"


def _has_previews(opened: Image.Image) -> bool:
    """Return whether all further pictures in a file of TIFF are smaller ones of the first."""
    if not isinstance(opened, TiffImagePlugin.TiffImageFile):
        return False
    for number in range(1, opened.n_frames):
        opened.seek(number)
        if not opened.tag_v2.get(KIND_OF_PICTURE, 0) & REDUCED:
            return False
    return True


def open_image(file: Path | str) -> Image.Image:
    """Return the image in a file, whole.

    Raises:
        DataError: Where it is damaged; the message is to stand behind the file's name.
    """
    try:
        with Image.open(file, formats=formats()) as opened:
            opened.load()
            return opened.copy()
    except Exception as error:
        # Damage shows as OSError, SyntaxError, ValueError and more, by the kind of file.
        said = (error.strerror if isinstance(error, OSError) else None) or str(error)
        reason = unbroken(said).replace(f" {str(file)!r}", "")
        raise DataError(f"is no readable image ({reason}); replace or remove it") from error

"""Files that are images, and what is wrong with those that are none."""

import struct
import zlib
from pathlib import Path

import pytest
from image_trees import noise, paint
from PIL import Image

from netstitch.errors import DataError
from netstitch.tasks.datasets.image_files import (
    extensions,
    holds_several,
    is_left_behind,
    open_image,
)

KINDS = ("png", "JPG", "jfif", "gif", "webp", "avif", "BMP", "tif", "ppm", "tga", "jp2")


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_that_pillow_reads_are_read(tmp_path: Path, kind: str) -> None:
    if f".{kind.lower()}" not in extensions():
        pytest.skip(f"this build of Pillow reads no .{kind}")
    form = {"format": "JPEG"} if kind == "jfif" else {}
    path = paint(tmp_path / f"1.{kind}", **form)
    assert not holds_several(path)
    assert open_image(path).size == (12, 10)


@pytest.mark.parametrize("kind", ["gif", "webp", "tiff", "avif"])
def test_moving_pictures_and_pages_are_several(tmp_path: Path, kind: str) -> None:
    if f".{kind}" not in extensions():
        pytest.skip(f"this build of Pillow reads no .{kind}")
    path = paint(tmp_path / f"1.{kind}", save_all=True, append_images=[noise(1)])
    assert holds_several(path)


def test_a_photograph_with_a_preview_is_one(tmp_path: Path) -> None:
    preview = noise(1)
    preview.encoderinfo = {"tiffinfo": {254: 1}}
    path = paint(tmp_path / "1.tif", save_all=True, append_images=[preview])
    with Image.open(path) as opened:
        opened.seek(1)
        assert opened.tag_v2[254] == 1
    assert not holds_several(path)


def test_what_systems_leave_behind() -> None:
    left = [".DS_Store", "._0.png", ".ipynb_checkpoints", "Thumbs.db", "__MACOSX", "desktop.ini"]
    assert all(map(is_left_behind, left))
    assert not any(map(is_left_behind, ["0.png", "cat", "a.b.png", "_0.png"]))


def png_of(width: int, height: int) -> bytes:
    """A file that says it is so large, and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.png", b""),
        ("page.jpg", b"<!DOCTYPE html><html></html>"),
        ("pointer.png", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"),
        ("cut.gif", b"GIF89a\x01"),
        ("cut.webp", b"RIFF\x00\x00"),
        ("cut.tif", b"II*\x00\xff\xff\xff\xff"),
        ("bomb.png", png_of(60_000, 60_000)),
        ("script.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n"),
    ],
)
def test_what_is_no_image_is_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert not holds_several(tmp_path / name)
    with pytest.raises(DataError, match="is no readable image") as raised:
        open_image(tmp_path / name)
    assert "\n" not in str(raised.value)
    assert str(tmp_path) not in str(raised.value)

"""Opening image files."""

from pathlib import Path

from PIL import Image

from netstitch.errors import DataError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""What counts as an image, in either case: torchvision's list."""


def is_image(file: Path) -> bool:
    # File managers leave copies of attributes behind, named ._ and as the image.
    hidden = file.name.startswith(".")
    return file.suffix.lower() in EXTENSIONS and not hidden and file.is_file()


def open_image(file: Path | str) -> Image.Image:
    """The image in a file, whole.

    Raises DataError, whose message is to stand behind the file's name, where it is damaged.
    """
    try:
        with Image.open(file) as opened:
            opened.load()
            return opened.copy()
    except Exception as error:
        # Damage shows as OSError, SyntaxError, ValueError and more, by the kind of file.
        reason = " ".join(str(error).split()).replace(f" '{file}'", "")
        raise DataError(f"is no readable image ({reason}); replace or remove it") from error

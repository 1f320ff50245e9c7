"""The order of class folders, which numbers the classes."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from netstitch.errors import DataError
from netstitch.text import first_of, printable

ClassOrder = Literal["either", "text", "number"] | Sequence[str]
"""Class folders by their names as text (as torchvision sorts them), by the numbers in their names
(as timm does), in the order of names that are given; or either way where both are the same."""

ORDERS = ("either", "text", "number")


def in_order(folder: object, names: Sequence[str], order: ClassOrder) -> list[str]:
    """Return the names of class folders in the order of their labels.

    Args:
        folder: The folder that they are in, for messages.
        names: All of them.
        order: See `ClassOrder`. Of names that are given, each must be that of a folder, and each
            folder's must be there.

    Raises:
        DataError: Where the order is ambiguous or not known, or names are missing or surplus.
    """
    if isinstance(order, Sequence) and not isinstance(order, str):
        return _as_stated(folder, names, order)
    if order not in ORDERS:
        raise DataError(
            f"class order {order!r} is not known; give 'text', 'number' or a list of the class "
            "folders' names"
        )
    as_text = sorted(names)
    if order == "text":
        return as_text
    as_numbers = sorted(as_text, key=natural_key)
    for one, other in pairwise(as_numbers):
        if natural_key(one) == natural_key(other):
            raise DataError(
                f"{folder}: the class folders {one!r} and {other!r} are the same as numbers and "
                "without regard to capitals, and timm orders them by chance; say how the networks "
                "have them, class_order = 'text' or a list of all names"
            )
    if order == "either" and as_text != as_numbers:
        at = next(i for i, name in enumerate(as_text) if name != as_numbers[i])
        raise DataError(
            f"{folder}: the order of the class folders is not clear: as text (torchvision) class "
            f"{at} is {as_text[at]!r}, as numbers and without regard to capitals (timm) it is "
            f"{as_numbers[at]!r}; say which one the networks were trained with, class_order = "
            "'text', 'number' or a list of all names"
        )
    return as_numbers


def natural_key(name: str) -> list[str | int]:
    """Return the key by which timm sorts class folders: numbers in a name count as numbers."""
    parts = re.split(r"(\d+)", name.lower())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]


def differences(found: Sequence[str], expected: Sequence[str]) -> str:
    """Return the missing and the surplus names, as a part of a sentence."""
    missing = [name for name in expected if name not in set(found)]
    surplus = [name for name in found if name not in set(expected)]
    lacking, further = (printable(first_of(names, 5)) or "none" for names in (missing, surplus))
    return f"{lacking} missing, {further} surplus"


def _as_stated(folder: object, found: Sequence[str], stated: Sequence[str]) -> list[str]:
    if not all(isinstance(name, str) for name in stated):
        raise DataError(f"class order {list(stated)!r:.80} is not known; give the folders' names")
    twice = next((name for name in stated if list(stated).count(name) > 1), None)
    if twice is not None:
        raise DataError(f"the class {twice!r} is stated twice; expected each class once")
    if set(stated) != set(found):
        raise DataError(
            f"{folder} holds other classes than stated: {differences(found, stated)}; expected "
            "each stated class once, check the folder and the names"
        )
    return list(stated)

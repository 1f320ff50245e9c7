"""Class folders of training, validation, confirmation and test are the same, in one order."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from netstitch.errors import DataError, ExperimentError
from netstitch.events import Event, Message
from netstitch.experiments import load_task, read_experiment
from netstitch.tasks import Task

HEAD = '[[networks]]\nmodel = "models.py:a"\n[[networks]]\nmodel = "models.py:b"\n'


def class_folders(root: Path, names: list[str], first: int = 0, each: int = 2) -> None:
    for label, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for index in range(each):
            random = np.random.default_rng(first + 100 * label + index)
            values = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
            Image.fromarray(values).save(root / name / f"{index}.png")


def load(folder: Path, keys: str = "classes = 3", told: list[str] | None = None) -> Task:
    """The task on the folders training, validation and test, as far as they are there."""
    parts = "".join(
        f'[task.{part}]\nsource = "{part}"\n'
        for part in ("training", "validation", "test")
        if (folder / part).exists()
    )
    images = f'images = {{size = 6, crop = 1.0, cache = "{folder / "cache"}"}}\n'
    (folder / "e.toml").write_text(f"{HEAD}[task]\n{keys}\n{images}{parts}")

    def keep(event: Event) -> None:
        if told is not None and isinstance(event, Message):
            told.append(str(event))

    return load_task(read_experiment(folder / "e.toml"), keep)


def refused(folder: Path, keys: str = "classes = 3") -> str:
    with pytest.raises(DataError) as raised:
        load(folder, keys)
    assert "\n" not in str(raised.value)
    assert not (folder / "cache").exists()  # known before the work
    return str(raised.value)


@pytest.mark.parametrize("part", ["training", "test"])
@pytest.mark.parametrize(
    ("names", "difference"),
    [
        (["bee", "cat", "dog"], "ant missing, dog surplus"),
        (["ant", "bee"], "cat missing, none surplus"),
        (["ant", "bee", "cat", "dog"], "none missing, dog surplus"),
        (["Ant", "Bee", "Cat"], "ant, bee, cat missing, Ant, Bee, Cat surplus"),
    ],
)
def test_class_folders_that_differ_are_named(
    tmp_path: Path, part: str, names: list[str], difference: str
) -> None:
    for one in ("training", "validation", "test"):
        class_folders(tmp_path / one, names if one == part else ["ant", "bee", "cat"])
    message = refused(tmp_path)
    assert message.startswith(f"{part} samples ({part}): its class folders are not those of valid")
    assert difference in message


def test_the_part_that_has_as_many_as_classes_is_right(tmp_path: Path) -> None:
    class_folders(tmp_path / "validation", ["ant", "bee"])
    class_folders(tmp_path / "training", ["ant", "bee", "cat"])
    message = refused(tmp_path)
    assert message.startswith("validation samples (validation): its class folders are not those of")
    assert "training: cat missing, none surplus" in message


def test_as_many_class_folders_as_classes(tmp_path: Path) -> None:
    for part in ("training", "validation"):
        class_folders(tmp_path / part, ["ant", "bee"])
    message = refused(tmp_path)
    assert message.startswith("validation samples (validation): ")
    assert "holds 2 class folders; expected 3 and found ant, bee" in message


def test_folders_of_numbers_ask_for_their_order(tmp_path: Path) -> None:
    names = [str(number) for number in range(11)]
    for first, part in enumerate(("training", "validation")):
        class_folders(tmp_path / part, names, 10_000 * first, each=1)
    assert "the order of the class folders is not clear" in refused(tmp_path, "classes = 11")
    for order, label in (('"text"', 3), ('"number"', 2), (str(names[::-1]), 8)):
        task = load(tmp_path, f"classes = 11\nclass_order = {order}")
        shown = np.asarray(Image.open(tmp_path / "validation" / "2" / "0.png"))[:, :, 0]
        reds = [(one[0] * 0.229 + 0.485) * 255 for one in task.validation.inputs]
        place = next(i for i, red in enumerate(reds) if np.allclose(red, shown, atol=0.5))
        assert task.validation.labels[place] == label


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ('"numbers"', "expected 'text', 'number' or a list of the class folders' names"),
        ("3", "expected 'text', 'number' or a list"),
        ('["a", "a", "b"]', "expected 'text', 'number' or a list"),
        ('["a", "b"]', "class_order has 2 names and classes is 3"),
    ],
)
def test_orders_that_are_none(tmp_path: Path, order: str, message: str) -> None:
    for part in ("training", "validation"):
        class_folders(tmp_path / part, ["a", "b", "c"])
    with pytest.raises(ExperimentError, match=message):
        load(tmp_path, f"classes = 3\nclass_order = {order}")


def test_an_order_of_other_names_than_the_folders(tmp_path: Path) -> None:
    for part in ("training", "validation"):
        class_folders(tmp_path / part, ["a", "b", "c"])
    message = refused(tmp_path, 'classes = 3\nclass_order = ["a", "b", "d"]')
    assert "d missing, c surplus" in message


def test_an_order_is_of_class_folders(tmp_path: Path) -> None:
    for part in ("training", "validation"):
        class_folders(tmp_path / part, ["a", "b", "c"])
    with pytest.raises(ExperimentError, match="class_order is given and kind is 'agreement'"):
        load(tmp_path, 'kind = "agreement"\nclass_order = "text"')


def test_what_is_left_out_and_what_is_in_two_parts_is_told_once(tmp_path: Path) -> None:
    class_folders(tmp_path / "validation", ["ant", "bee", "cat"])
    (tmp_path / "validation" / "ant" / "1.heic").write_bytes(b"no image")
    (tmp_path / "training").symlink_to(tmp_path / "validation")
    class_folders(tmp_path / "test", ["ant", "bee", "cat"], 10_000)
    told: list[str] = []
    load(tmp_path, told=told)
    warnings = [line for line in told if line.startswith("warning: ")]
    left_out = [line for line in warnings if "1 file is not read and left out: 1 .heic" in line]
    assert [line.split(": ")[1] for line in left_out] == ["validation", "training"]
    (common,) = [line for line in warnings if "the same samples are in two parts" in line]
    assert "6 of 6 validation samples are also training samples: figures" in common
    assert len(warnings) == 3


def test_a_folder_of_two_parts_is_told_of_once(tmp_path: Path) -> None:
    class_folders(tmp_path / "validation", ["ant", "bee", "cat"])
    (tmp_path / "validation" / "ant" / "notes.txt").write_text("no image")
    told: list[str] = []
    task = '[task]\nclasses = 3\nconfirmation = 3\nimages = {size = 6, cache = "cache"}\n'
    parts = "".join(
        f'[task.{part}]\nsource = "validation"\n' for part in ("training", "validation")
    )
    (tmp_path / "e.toml").write_text(HEAD + task + parts)
    load_task(read_experiment(tmp_path / "e.toml"), lambda event: told.append(str(event)))
    assert sum("notes" in line or ".txt" in line for line in told) == 1
    (common,) = [line for line in told if "two parts" in line]
    assert "3 of 3 validation samples are also training samples" in common
    assert "3 of 3 confirmation samples are also training samples" in common

import os

import matplotlib
import numpy as np
import pytest
from example_fronts import front_of_both
from PIL import Image

from netstitch.analysis import Front, FrontPoint, front_figure, make_front
from netstitch.analysis.front_figure import fronts_charts, fronts_figure
from netstitch.drawing.theme import SHADE
from netstitch.errors import DataError, StorageError


def front(tested: bool = True) -> Front:
    def network(label: str, macs: int, accuracy: float, output: str) -> FrontPoint:
        test = accuracy - 0.003 if tested else None
        return FrontPoint(label, (0,), macs, 0, accuracy, test, output)

    references = [
        network("resnet", 4_600_000, 0.920, "resnet"),
        network("mobilenet", 3_200_000, 0.915, "mobilenet"),
        network("ensemble", 7_900_000, 0.929, "ensemble"),
    ]
    candidates = [
        network(f"c{index}", 2_000_000 + 240_000 * index, 0.902 + 0.0012 * index, "ensemble")
        for index in range(25)
    ]
    return make_front(candidates, references)


def run(*networks: tuple[int, float, float]) -> Front:
    """A front of networks of a cost, with accuracies on validation and on test samples."""
    candidates = [FrontPoint("", (0,), cost, 1, first, then) for cost, first, then in networks]
    return make_front(candidates, front().references)


def test_each_run_has_the_boundary_of_its_own_front():
    """The second run's dearer network is no better on test samples: it falls off there."""
    runs = {
        "ga": [run((3_000_000, 0.91, 0.90), (6_000_000, 0.93, 0.92))],
        "gomea": [run((4_000_000, 0.92, 0.91), (5_000_000, 0.94, 0.90)), run((10, 0.905, 0.95))],
    }
    validation, test = fronts_charts(runs)
    assert (validation.title, test.title) == ("Validation", "Test")
    lines = [one for one in test.series if one.kind == "steps"]
    assert [(one.name, one.style, one.emphasis) for one in lines] == [
        ("ga (1 run)", 0, "thin"),
        ("gomea (2 runs)", 1, "thin"),
        ("gomea (2 runs)", 1, "thin"),
    ]
    right = 1.12 * 7_900_000  # beyond what is most expensive
    assert list(zip(lines[0].x, lines[0].y, strict=True)) == [
        (3_000_000, 0.90), (6_000_000, 0.92), (right, 0.92),
    ]  # fmt: skip
    assert list(lines[1].x) == [4_000_000, right]
    marks = [one for one in test.series if one.emphasis == "faded"]
    assert [len(one.x) for one in marks] == [2, 2, 1]  # what fell off is there too
    crosses = test.series[-1]
    assert crosses.emphasis == "reference"
    assert test.regions == tuple(zip(crosses.x, crosses.y, strict=True))
    assert test.y_range == validation.y_range


def test_plain_cascades_have_a_dashed_line_once():
    """Two runs of one supernet have the same; it counts the networks that went in too."""
    both = front_of_both()
    validation, _ = fronts_charts({"ga": [both, both], "gomea": [run((3_000_000, 0.91, 0.90))]})
    lines = [one for one in validation.series if one.emphasis == "dashed"]
    assert [(one.name, one.kind, one.style) for one in lines] == [
        ("plain cascades with exits", "steps", 3)
    ]
    assert list(zip(lines[0].x, lines[0].y, strict=True))[:3] == [
        (2_500_000, 0.925), (4_400_000, 0.927), (8_000_000, 0.929),
    ]  # fmt: skip
    assert validation.x.startswith("mean ")
    assert not [
        one for one in fronts_charts({"ga": [front()]})[0].series if one.emphasis == "dashed"
    ]


def test_fronts_of_runs_are_shaded_where_references_are_dominated(tmp_path):
    fronts_figure({"ga": [front(), front()]}, tmp_path / "fronts.png", columns=2)
    left, right = np.array_split(shaded(pixels(tmp_path / "fronts.png")), 2, axis=1)
    assert left.mean() > 0.1
    assert right.mean() > 0.1


def test_runs_without_networks_have_no_fronts():
    with pytest.raises(DataError, match="hold no networks"):
        fronts_charts({"ga": [Front(())]})


def pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def shaded(image: np.ndarray) -> np.ndarray:
    colour = [int(SHADE[start : start + 2], 16) for start in (1, 3, 5)]
    return (image == colour).all(-1)


def test_two_panels_at_200_dots_per_inch(tmp_path):
    path = tmp_path / "front.png"
    front_figure(front(), path, title="Fashion-MNIST")
    with Image.open(path) as image:
        assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
        assert image.width > 2 * image.height
    assert os.listdir(tmp_path) == ["front.png"]


def test_both_panels_shade_where_references_are_dominated(tmp_path):
    path = tmp_path / "front.png"
    front_figure(front(), path)
    left, right = np.array_split(shaded(pixels(path)), 2, axis=1)
    assert left.mean() > 0.1
    assert right.mean() > 0.1


def test_one_panel_without_test_accuracies(tmp_path):
    path = tmp_path / "front.png"
    front_figure(front(tested=False), path)
    with Image.open(path) as image:
        assert image.width < 1.5 * image.height


def test_no_shade_without_references(tmp_path):
    path = tmp_path / "front.png"
    front_figure(Front(front().points), path)
    assert not shaded(pixels(path)).any()


def test_floors_show_different_ranges(tmp_path):
    images = []
    for name, floor in (("a", "tenth"), ("b", "tight"), ("c", 0.5)):
        front_figure(front(), tmp_path / f"{name}.png", floor=floor)
        images.append(shaded(pixels(tmp_path / f"{name}.png")).mean())
    assert images[2] < images[0] < images[1]


def test_only_references(tmp_path):
    path = tmp_path / "front.png"
    front_figure(Front((), front().references), path)
    assert shaded(pixels(path)).any()


def test_a_single_network(tmp_path):
    path = tmp_path / "front.png"
    front_figure(Front((FrontPoint("P1", (0,), 100, 0, 1.0),)), path)
    assert path.stat().st_size > 0


def test_what_cannot_be_drawn(tmp_path):
    path = tmp_path / "front.png"
    with pytest.raises(DataError, match="holds no networks"):
        front_figure(Front(()), path)
    with pytest.raises(DataError, match="'loose' is not known"):
        front_figure(front(), path, floor="loose")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"no network has an accuracy of 0\.99"):
        front_figure(front(), path, floor=0.99)
    assert not path.exists()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(StorageError, match="cannot be written"):
        front_figure(front(), tmp_path / "absent" / "front.png")


def test_global_settings_of_matplotlib_stay(tmp_path):
    before = dict(matplotlib.rcParams), matplotlib.get_backend(auto_select=False)
    front_figure(front(), tmp_path / "front.png")
    assert (dict(matplotlib.rcParams), matplotlib.get_backend(auto_select=False)) == before

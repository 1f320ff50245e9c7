"""Views are crops of padded images, mirrored or not, drawn anew for each batch."""

from collections import Counter

import pytest
import torch
from refinement_examples import batches, equal, fitted, images, maps, weights
from torch import Tensor
from torch.nn import functional

from netstitch.errors import FittingError
from netstitch.fitting.refinement.refine_images import Examples
from netstitch.fitting.refinement.views import AS_THEY_ARE, Views, viewed

HEIGHT, WIDTH = 4, 5

Possible = dict[tuple[int, int, bool], Tensor]


def numbered(count: int) -> Examples:
    """Images (n, 2, 4, 5) of numbers, each with a map of labels that numbers its pixels."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.rand(count, 2, HEIGHT, WIDTH, generator=generator)
    labels = torch.arange(HEIGHT * WIDTH, dtype=torch.uint8).reshape(1, HEIGHT, WIDTH)
    return Examples(inputs, labels.repeat(count, 1, 1))


def slow_views(image: Tensor, views: Views, outside: int) -> Possible:
    """Every view of an image (channels, height, width), cut out one by one."""
    height, width = image.shape[-2:]
    mode = "replicate" if views.fill == "edge" else "constant"
    value = None if mode == "replicate" else outside
    padded = functional.pad(image[None].double(), [views.padding] * 4, mode, value)[0]
    places = range(2 * views.padding + 1)
    found = {
        (top, left, False): padded[:, top : top + height, left : left + width].to(image.dtype)
        for top in places
        for left in places
    }
    mirrored = {(top, left, True): view.flip(-1) for (top, left, _), view in found.items()}
    return found | (mirrored if views.flip else {})


@pytest.mark.parametrize("fill", ["edge", "zero"])
@pytest.mark.parametrize("padding, flip", [(2, True), (1, False), (0, True)])
def test_views_are_those_cut_out_one_by_one_and_every_one_is_drawn(
    fill: str, padding: int, flip: bool
) -> None:
    views, examples = Views(padding=padding, fill=fill, flip=flip), numbered(600)
    seen = viewed(examples, views, seed=3, position=64)
    assert examples.labels is not None
    assert seen.labels is not None
    drawn: Counter[tuple[int, int, bool]] = Counter()
    for image, view, labels, moved in zip(
        examples.inputs, seen.inputs, examples.labels, seen.labels, strict=True
    ):
        possible = slow_views(image, views, 0)
        (place,) = [place for place, one in possible.items() if torch.equal(one, view)]
        assert torch.equal(slow_views(labels[None], views, 255)[place][0], moved)
        drawn[place] += 1
    assert len(drawn) == (2 * padding + 1) ** 2 * (1 + flip)
    assert max(drawn.values()) < 3 * 600 / len(drawn)


def test_a_seed_and_a_position_give_the_same_views_bit_for_bit() -> None:
    views, examples = Views(padding=2, flip=True), numbered(16)
    one, same, elsewhere, other = (
        viewed(examples, views, seed, position).inputs
        for seed, position in ((1, 32), (1, 32), (1, 64), (2, 32))
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, elsewhere)
    assert not torch.equal(one, other)


def test_no_views_are_the_images_themselves_and_class_numbers_stay() -> None:
    examples = Examples(numbered(8).inputs, torch.arange(8))
    assert viewed(examples, AS_THEY_ARE, 1, 0) is examples
    assert viewed(examples, Views(padding=1), 1, 0).labels is examples.labels


def test_maps_of_whole_numbers_get_what_does_not_count() -> None:
    examples = Examples(torch.rand(64, 1, 3, 3), torch.zeros(64, 3, 3, dtype=torch.int64))
    labels = viewed(examples, Views(padding=2, fill="zero"), 1, 0).labels
    assert labels is not None
    assert set(labels.unique().tolist()) == {-100, 0}


@pytest.mark.parametrize("loss", ["outputs", "labels"])
def test_views_change_what_is_learned_of_classes_and_of_maps(loss: str) -> None:
    labels = (torch.arange(36) % 3).to(torch.uint8).reshape(1, 6, 6)
    for make, given in (
        (fitted, batches()),
        (maps, [(inputs, labels.repeat(len(inputs), 1, 1)) for inputs, _ in batches()]),
    ):
        found = []
        for views in (Views(), Views(padding=1, flip=True), Views(padding=1, flip=True)):
            supernet = make()
            supernet.fit(given)
            report = supernet.refine(given, steps=3, loss=loss, views=views)
            found.append([weights(supernet), report.curve[0].loss, report.curve[-1].loss])
        plain, seen, again = found
        assert seen[1] == plain[1]  # what is measured are the images as they are
        assert seen[2] != plain[2]
        assert seen[1:] == again[1:]
        assert equal(seen[0], again[0])


def test_the_report_names_the_views() -> None:
    report = fitted().refine(batches(), steps=1, views={"padding": 1})
    assert report.settings["views"] == {"padding": 1, "fill": "edge", "flip": False}
    assert type(report).from_json(report.to_json()) == report


@pytest.mark.parametrize(
    "options, message",
    [
        ({"views": {"padding": -1}}, r"'padding' in \[views\] is -1; expected 0 or more"),
        ({"views": {"fill": "mirror"}}, r"'fill' in \[views\] is 'mirror'; expected 'edge' or"),
        ({"views": 3}, "views is 3; expected a table"),
        ({"views": {"padding": 6, "fill": "zero"}}, "padding of views is 6, and images have 6 x 6"),
    ],
)
def test_views_that_cannot_be(options: dict[str, object], message: str) -> None:
    with pytest.raises(FittingError, match=message) as found:
        fitted().refine(batches(), steps=1, **options)
    assert "\n" not in str(found.value)


def test_labels_that_cannot_follow_are_refused() -> None:
    boxes = [(images(64), torch.rand(64, 4))]

    def loss(outputs: Tensor, labels: Tensor) -> Tensor:
        return outputs.mean() * labels.mean()

    fitted().refine(boxes, steps=1, loss=loss)
    with pytest.raises(FittingError, match=r"labels float32 \(\d+, 4\) cannot follow the views"):
        fitted().refine(boxes, steps=1, loss=loss, views=Views(flip=True))


def test_inputs_that_are_no_images_have_no_views() -> None:
    with pytest.raises(FittingError, match=r"views are of images, .* inputs have shape \(2, 5\)"):
        Views(flip=True).check_images((2, 5))
    Views().check_images((2, 5))

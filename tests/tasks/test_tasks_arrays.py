import numpy as np
import pytest
import torch
from PIL import Image

from netstitch.errors import DataError
from netstitch.tasks import Preprocessing, Samples, from_arrays, from_maps

LABELS = np.array([2, 0])


def test_floats_are_taken_as_they_are():
    inputs = np.array([[-1.5, 300.0], [0.0, 1.0]])
    samples = from_arrays(inputs, LABELS, name="train")
    assert samples.inputs.dtype == torch.float32
    assert samples.inputs.tolist() == inputs.tolist()
    assert samples.labels.dtype == torch.int64
    assert samples.labels.tolist() == [2, 0]
    assert samples.name == "train"


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_tensors_of_any_precision(kind):
    samples = from_arrays(torch.ones(2, 3, dtype=kind), torch.tensor([1, 0], dtype=torch.uint8))
    assert samples.inputs.dtype == torch.float32
    assert samples.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("images", "shape"), [("nhw", (2, 4, 5)), ("nhwc", (2, 4, 5, 3)), ("nchw", (2, 3, 4, 5))]
)
def test_images_of_bytes_become_channels_first_in_unit_range(images, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    samples = from_arrays(pixels, LABELS, images=images)
    assert samples.shape == ((1, 4, 5) if images == "nhw" else (3, 4, 5))
    for row, column, channel in np.ndindex(4, 5, samples.shape[0]):
        at = {"h": row, "w": column, "c": channel}
        index = tuple(at[axis] for axis in images[1:])
        assert float(samples.inputs[1, channel, row, column]) == pytest.approx(
            pixels[(1, *index)] / 255
        )


def test_images_of_floats_keep_their_values():
    samples = from_arrays(np.full((2, 4, 5, 3), 7.0), LABELS, images="nhwc")
    assert samples.shape == (3, 4, 5)
    assert samples.inputs.unique().tolist() == [7.0]


def test_arrays_that_torch_cannot_share():
    inputs = np.arange(4.0, dtype=">f8").reshape(2, 2)[::-1]
    inputs.flags.writeable = False
    assert from_arrays(inputs, LABELS.astype(">i2")).inputs.tolist() == [[2, 3], [0, 1]]


@pytest.mark.parametrize(
    ("inputs", "labels", "images", "message"),
    [
        (np.zeros((2, 3), np.uint8), LABELS, None, "inputs are uint8; .*images='nhwc'"),
        (np.zeros((2, 4, 4), np.uint8), LABELS, "nhwc", "means 4 dimensions"),
        (np.zeros((2, 4, 4), np.int32), LABELS, "nhw", "inputs are int32"),
        (np.zeros((2, 4, 4), np.uint8), LABELS, "hwn", "'hwn' is not known"),
        (np.zeros((2, 3)), np.array([1.0, 0.0]), None, "labels are float64; expected integers"),
        (np.zeros((2, 3)), np.array([True, False]), None, "labels are bool"),
        (np.zeros((2, 3)), np.array(["cat", "dog"]), None, "labels are <U3"),
        (np.zeros((2, 3)), np.array([None, {}]), None, "labels are object"),
        (np.full((2, 3), 1e300), LABELS, None, "NaN or infinity"),
        (np.zeros((3, 3)), LABELS, None, "3 inputs but 2 labels"),
    ],
)
def test_other_arrays_are_refused(inputs, labels, images, message):
    with pytest.raises(DataError, match=message):
        from_arrays(inputs, labels, images=images)


@pytest.mark.parametrize("kind", [np.int64, np.uint8])
def test_labels_in_one_column_are_taken(kind):
    """MedMNIST and scikit-learn have them so."""
    column = np.array([[2], [0], [1]], kind)
    inputs = np.zeros((3, 4))
    assert from_arrays(inputs, column).labels.tolist() == [2, 0, 1]
    direct = Samples(torch.zeros(3, 4), torch.tensor([[2], [0], [1]]))
    assert direct.labels.tolist() == [2, 0, 1]
    maps = from_maps(np.zeros((3, 1, 4, 4)), np.ones((3, 1, 4, 4), kind))
    assert maps.labels.shape == (3, 4, 4)


@pytest.mark.parametrize("labels", [np.zeros((2, 3), int), np.zeros((1, 2), int), np.eye(2)])
def test_other_columns_of_labels_are_refused(labels):
    with pytest.raises(DataError, match="labels"):
        from_arrays(np.zeros((2, 3)), labels)


MEAN, STD = (0.1, 0.2, 0.3), (0.5, 0.25, 0.125)


@pytest.mark.parametrize("images", ["nhwc", "nchw"])
def test_bytes_are_normalised_as_images_in_files_are(images):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3), dtype=np.uint8)
    files = Preprocessing(size=4, mean=MEAN, std=STD, crop=1.0)
    expected = torch.stack([files(Image.fromarray(one)) for one in pixels])
    given = pixels if images == "nhwc" else pixels.transpose(0, 3, 1, 2)
    before = given.copy()
    found = from_arrays(given, LABELS, images=images, normalisation=(MEAN, STD))
    assert torch.allclose(found.inputs, expected, atol=1e-6)
    assert (given == before).all()


def test_floats_are_not_normalised():
    with pytest.raises(DataError, match=r"inputs are float64, which are taken as they are, and a"):
        from_arrays(np.zeros((2, 3, 4, 4)), LABELS, images="nchw", normalisation=(MEAN, STD))


@pytest.mark.parametrize("normalisation", [([0.5], [0.5]), (MEAN, [1.0]), (MEAN, [0.0] * 3)])
def test_a_normalisation_that_does_not_fit_the_channels(normalisation):
    pixels = np.zeros((2, 3, 4, 4), np.uint8)
    with pytest.raises(DataError, match=r"images have 3 channels, mean has \d values and std"):
        from_arrays(pixels, LABELS, images="nchw", normalisation=normalisation)

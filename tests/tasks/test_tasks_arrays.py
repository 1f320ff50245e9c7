import numpy as np
import pytest
import torch

from netstitch.errors import DataError
from netstitch.tasks import from_arrays

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
        (np.zeros((2, 4, 4), np.int32), LABELS, "nhw", "images are int32"),
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

"""The tables of an experiment file that say what is measured, on which samples."""

from typing import Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from netstitch.files.settings import Positive, Settings
from netstitch.tasks import EnsembleKind, ImageLayout, Views
from netstitch.tasks.datasets.class_order import ORDERS
from netstitch.tasks.datasets.preprocessing import PerChannel, Preprocessing
from netstitch.tasks.datasets.sample_selection import Selection


class SamplesTable(Settings):
    """A set of samples."""

    source: str = Field(min_length=1)
    """A .npz or .safetensors file with the arrays inputs and labels, a folder of images with one
    folder per class, or 'file.py:function' or 'package.module:function' that returns a torch
    Dataset or (inputs, labels); where the task is of kind 'agreement', inputs alone, or a folder of
    images anyhow; or a data set and its folder, 'imagenet:FOLDER', 'imagenetv2:FOLDER' or
    'voc:FOLDER', relative to 'data'."""
    split: str | None = None
    """The part of a data set: 'train' or 'val', of 'voc' also 'trainval' and 'test'."""
    year: int | None = None
    """The year of 'voc': 2012, or 2007."""
    boxes: bool = False
    """Take only images with bounding boxes, of 'imagenet'."""
    limit: Positive | None = None
    """Keep this many: as 'selection' says, of a Dataset the first ones; by default all."""
    selection: Selection = "evenly"
    """The images in folders that a limit keeps, 'evenly' over the classes (the default), the
    'first', or 'random' ones, which are always the same."""


class ImagesTable(Preprocessing):
    """The preprocessing that makes inputs of images."""

    corrupt: int = Field(default=0, ge=0)
    """The number of damaged images of a part that may be left out."""
    cache: str | None = None
    """Folder in which decoded images are kept, for image folders; by default $NETSTITCH_CACHE, or
    netstitch in the user's cache folder."""
    workers: int = Field(default=0, ge=0)
    """Threads that decode images; 0 for one a core."""
    arrays: ImageLayout | None = None
    """Layout of images in arrays, 'nhw', 'nhwc' or 'nchw': bytes are divided by 255, and normalised
    where mean or std is given; by default arrays are floating point and taken as they are."""

    @property
    def normalisation(self) -> tuple[PerChannel, PerChannel] | None:
        """Mean and standard deviation, where the file gives one of them."""
        return (self.mean, self.std) if self.model_fields_set & {"mean", "std"} else None

    @model_serializer(mode="wrap")
    def _as_given(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        # Whether they were given matters: of arrays of bytes, and beside floats.
        written: dict[str, object] = write(self)
        left_out = {"mean", "std"} if self.normalisation is None else set()
        return {key: value for key, value in written.items() if key not in left_out}


class TaskTable(Settings):
    """The networks' task, and the samples it is measured on."""

    kind: Literal["classification", "agreement", "segmentation"] = "classification"
    """'classification', 'segmentation', a class for each pixel, 255 for those that do not count, or
    'agreement', which measures on how many samples a network gives the class that the ensemble
    gives, and needs no labels."""
    classes: int | None = Field(default=None, ge=2)
    """The number of classes; of kind 'agreement' what the networks have."""
    class_order: Literal["either", "text", "number"] | tuple[str, ...] = "either"
    """The numbering of class folders, by their names as 'text' (0, 1, 10, 2,
    as torchvision does), by the 'number' in them (0, 1, 2, 10, as timm does), or in the order of a
    list of their names; 'either', where the former two are the same."""
    output: str | None = None
    """The key that is measured where networks put out dictionaries; by default their only one."""
    ensemble: EnsembleKind = "logits"
    """The outputs that the ensemble averages: 'logits' or 'probabilities'."""
    training: SamplesTable
    """A table with the samples that stitches are fitted on; their labels are used where they are
    refined with loss = 'labels' only."""
    validation: SamplesTable
    """A table with the samples that the search evaluates on."""
    confirmation: Positive | None = None
    """So many further samples of validation's source, or of its own where it has no limit, which
    the search does not see: they decide which of its networks stay; by default none."""
    test: SamplesTable | None = None
    """A table with samples that the search never sees; by default none."""
    images: ImagesTable = ImagesTable()
    """The way of images to inputs."""
    views: Views = Views()
    """Random views of training images that keep what the task asks for; refining sees them."""

    @field_validator("class_order", mode="before")
    @classmethod
    def _known_order(cls, order: object) -> object:
        if isinstance(order, list | tuple):
            order = tuple(order)
            if all(isinstance(name, str) for name in order) and len(set(order)) == len(order):
                return order
        elif isinstance(order, str) and order in ORDERS:
            return order
        raise ValueError("expected 'text', 'number' or a list of the class folders' names")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.class_order != "either" and self.kind != "classification":
            raise ValueError(f"class_order is given and kind is {self.kind!r}; leave it out")
        if not isinstance(self.class_order, str) and len(self.class_order) != self.classes:
            raise ValueError(
                f"class_order has {len(self.class_order)} names and classes is {self.classes}; "
                "expected as many"
            )
        return self

    @model_validator(mode="after")
    def _counted(self) -> Self:
        if self.kind != "agreement" and self.classes is None:
            raise ValueError("it lacks the key 'classes'; expected the number of classes")
        if self.kind == "agreement" and self.classes is not None:
            raise ValueError(
                "classes is given and kind is 'agreement'; leave it out, since the networks have it"
            )
        return self

"""Tasks: how outputs become a loss and an accuracy, and the samples they are measured on.

Samples are decoded and preprocessed once. Those of arrays, files of arrays and datasets are held in
memory, and those of a listing of images in a file that is mapped into it (`decode_images`).
"""

from netstitch.fitting.refinement.views import Views
from netstitch.tasks.agreement import agreement
from netstitch.tasks.classification import Classification
from netstitch.tasks.cross_entropy import CrossEntropyTask
from netstitch.tasks.datasets.array_files import read_arrays
from netstitch.tasks.datasets.arrays import ImageLayout, from_arrays, from_maps, unlabelled
from netstitch.tasks.datasets.class_order import ClassOrder
from netstitch.tasks.datasets.decoded_images import cache_folder, decode_images
from netstitch.tasks.datasets.image_folder import all_images, image_folder
from netstitch.tasks.datasets.imagenet import imagenet
from netstitch.tasks.datasets.imagenet_v2 import imagenet_v2
from netstitch.tasks.datasets.listing import Listing
from netstitch.tasks.datasets.preprocessing import Preprocessing
from netstitch.tasks.datasets.sample_selection import evenly
from netstitch.tasks.datasets.torch_dataset import from_dataset
from netstitch.tasks.datasets.voc import voc
from netstitch.tasks.samples import Batches, Samples
from netstitch.tasks.segmentation import Segmentation
from netstitch.tasks.task import Task, as_task
from netstitch.tasks.task_outputs import EnsembleKind, Outputs, check_finite, select

__all__ = [
    "Batches",
    "ClassOrder",
    "Classification",
    "CrossEntropyTask",
    "EnsembleKind",
    "ImageLayout",
    "Listing",
    "Outputs",
    "Preprocessing",
    "Samples",
    "Segmentation",
    "Task",
    "Views",
    "agreement",
    "all_images",
    "as_task",
    "cache_folder",
    "check_finite",
    "decode_images",
    "evenly",
    "from_arrays",
    "from_dataset",
    "from_maps",
    "image_folder",
    "imagenet",
    "imagenet_v2",
    "read_arrays",
    "select",
    "unlabelled",
    "voc",
]

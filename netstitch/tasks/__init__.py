"""Tasks: how outputs become a loss and an accuracy, and the samples they are measured on.

Samples are decoded and preprocessed once and then held in memory, whether they come from arrays,
a file of arrays, a `torch.utils.data.Dataset` or a folder of images; or in a file that is mapped
into memory, where they come from a listing of images (`decode_images`).
"""

from netstitch.tasks.agreement import agreement
from netstitch.tasks.arrays import ImageLayout, from_arrays, from_maps
from netstitch.tasks.class_order import ClassOrder
from netstitch.tasks.classification import Classification
from netstitch.tasks.dataset import Progress, from_dataset
from netstitch.tasks.decoded import cache_folder, decode_images
from netstitch.tasks.files import from_file, read_inputs
from netstitch.tasks.folder import from_image_folder, image_folder
from netstitch.tasks.imagenet import imagenet
from netstitch.tasks.imagenet_v2 import imagenet_v2
from netstitch.tasks.likelihood import Likelihood
from netstitch.tasks.listing import Listing
from netstitch.tasks.outputs import Outputs, check_finite, first_nonfinite, select
from netstitch.tasks.preprocessing import Preprocessing
from netstitch.tasks.samples import Batches, Samples
from netstitch.tasks.segmentation import Segmentation
from netstitch.tasks.selection import evenly
from netstitch.tasks.task import EnsembleKind, Task
from netstitch.tasks.unlabelled import all_images, from_images, unlabelled
from netstitch.tasks.voc import voc

__all__ = [
    "Batches",
    "ClassOrder",
    "Classification",
    "EnsembleKind",
    "ImageLayout",
    "Likelihood",
    "Listing",
    "Outputs",
    "Preprocessing",
    "Progress",
    "Samples",
    "Segmentation",
    "Task",
    "agreement",
    "all_images",
    "cache_folder",
    "check_finite",
    "decode_images",
    "evenly",
    "first_nonfinite",
    "from_arrays",
    "from_dataset",
    "from_file",
    "from_image_folder",
    "from_images",
    "from_maps",
    "image_folder",
    "imagenet",
    "imagenet_v2",
    "read_inputs",
    "select",
    "unlabelled",
    "voc",
]

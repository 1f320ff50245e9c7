"""Tasks: how outputs become a loss and an accuracy, and the samples they are measured on.

Samples are decoded and preprocessed once and then held in memory, whether they come from arrays,
a file of arrays, a `torch.utils.data.Dataset` or a folder of images.
"""

from netstitch.tasks.agreement import agreement
from netstitch.tasks.arrays import ImageLayout, from_arrays
from netstitch.tasks.classification import Classification
from netstitch.tasks.dataset import Progress, from_dataset
from netstitch.tasks.files import from_file, read_inputs
from netstitch.tasks.folder import from_image_folder
from netstitch.tasks.outputs import Outputs, check_finite, first_nonfinite, select
from netstitch.tasks.preprocessing import Preprocessing
from netstitch.tasks.samples import Batches, Samples
from netstitch.tasks.selection import evenly
from netstitch.tasks.task import EnsembleKind, Task
from netstitch.tasks.unlabelled import from_images, unlabelled

__all__ = [
    "Batches",
    "Classification",
    "EnsembleKind",
    "ImageLayout",
    "Outputs",
    "Preprocessing",
    "Progress",
    "Samples",
    "Task",
    "agreement",
    "check_finite",
    "evenly",
    "first_nonfinite",
    "from_arrays",
    "from_dataset",
    "from_file",
    "from_image_folder",
    "from_images",
    "read_inputs",
    "select",
    "unlabelled",
]

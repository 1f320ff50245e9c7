"""Fine-tuning of one network of a supernet on a task's labels, or on a teacher's outputs."""

from netstitch.tuning.finetuning import finetune_genotype
from netstitch.tuning.trained_weights import FineTuned, HeldOut, give
from netstitch.tuning.tuned_point import TunedPoint, finetune
from netstitch.tuning.tuning_settings import FineTuneSettings

__all__ = [
    "FineTuneSettings",
    "FineTuned",
    "HeldOut",
    "TunedPoint",
    "finetune",
    "finetune_genotype",
    "give",
]

"""Fine-tuning of one network of a supernet on a task's labels."""

from netstitch.tuning.finetuning import FineTuned, FineTuneSettings, finetune, give

__all__ = ["FineTuneSettings", "FineTuned", "finetune", "give"]

"""Settings for all tests."""

import torch

# Test tensors are small; threads inside operations would only fight over the cores.
torch.set_num_threads(1)

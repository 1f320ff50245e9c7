"""From a PyTorch module to a graph of listed operations, checked against the module."""

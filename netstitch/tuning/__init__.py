"""Fine-tuning of one network of a supernet, with labels."""

"""Checkpoints: reading them without running anything, and finding a model's weights."""

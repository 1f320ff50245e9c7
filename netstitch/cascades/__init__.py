"""Cascades: subnetworks and exits as stages, which samples leave once an answer is sure."""

"""The search algorithms, one file each, and the registry of their names."""

"""Linkage: variables that belong together, and the donors that mixing takes values from."""

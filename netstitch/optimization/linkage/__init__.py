"""Which variables belong together, and where mixing takes values from."""

"""The documents of a run folder: reading them, what changed since, and whose they are."""

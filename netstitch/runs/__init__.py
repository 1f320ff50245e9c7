"""Runs: prepare, search, resume and export, from an experiment to a folder."""

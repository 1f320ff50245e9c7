"""Executors of evaluations: this process, many processes, a Ray cluster."""

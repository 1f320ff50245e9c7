"""Errors that netstitch raises on bad input.

Every message is one line, written for the person who gave the input: it names the thing, what was
expected, and what to do. The command line prints it and exits with code 2.
"""

from netstitch.text import printable


class NetstitchError(Exception):
    """Something the user gave cannot be used; the message says what, why, and what to do."""

    def __str__(self) -> str:
        return printable(super().__str__(), keep="\n")


class CaptureError(NetstitchError):
    """A model cannot be captured, or its capture computes something else."""


class WeightsError(NetstitchError):
    """A weights file does not fit its model, or is of a kind that is not read."""


class MatchingError(NetstitchError):
    """Networks cannot be matched: shapes or keys differ, or nothing is compatible."""


class StitchingError(NetstitchError):
    """A genotype or matching does not belong to the supernet."""


class FittingError(NetstitchError):
    """Stitches cannot be fitted on the given batches."""


class DataError(NetstitchError):
    """A data set is empty, damaged, out of range, or not laid out as expected."""


class SearchError(NetstitchError):
    """A search was asked for something that it cannot do."""


class ExperimentError(NetstitchError):
    """An experiment file is not valid."""


class StorageError(NetstitchError):
    """A folder or file cannot be written, or does not hold what it should."""


class ExportError(NetstitchError):
    """An exported file does not compute what the subnetwork does."""

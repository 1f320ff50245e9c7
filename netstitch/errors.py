"""Errors that netstitch raises on bad input.

Every message is one line, written for the person who gave the input: it names the thing, what was
expected, and what to do. The command line prints it and exits with code 2.
"""

from netstitch.text import printable


class NetstitchError(Exception):
    """Bad input; the message says what cannot be used, why, and what to do."""

    def __str__(self) -> str:
        return printable(super().__str__(), keep="\n")


class CaptureError(NetstitchError):
    """A model that cannot be captured, or whose capture computes something else."""


class WeightsError(NetstitchError):
    """A weights file that does not fit its model, or is of a kind that is not read."""


class MatchingError(NetstitchError):
    """Networks that cannot be matched: shapes or keys differ, or nothing is compatible."""


class StitchingError(NetstitchError):
    """A genotype or matching that does not belong to the supernet."""


class FittingError(NetstitchError):
    """Batches or settings with which stitches cannot be fitted."""


class DataError(NetstitchError):
    """A data set that is empty, damaged, out of range, or not laid out as expected."""


class SearchError(NetstitchError):
    """A setting or input that a search cannot use."""


class ExperimentError(NetstitchError):
    """An experiment file that is not valid."""


class StorageError(NetstitchError):
    """A folder or file that cannot be written, or does not hold what it should."""


class ExportError(NetstitchError):
    """An exported file that does not compute what the subnetwork does."""

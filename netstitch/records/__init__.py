"""The documents of a run folder: reading them, what changed since, and whose they are."""

from netstitch.records.run_document import Outcome, RunDocument, read_document
from netstitch.records.run_record import RunRecord, read_run

__all__ = ["Outcome", "RunDocument", "RunRecord", "read_document", "read_run"]

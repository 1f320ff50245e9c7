"""The documents of a run folder: reading them, what changed since, and whose they are."""

from netstitch.records.front_check import check_front
from netstitch.records.run_document import (
    Outcome,
    RunDocument,
    keep_warnings,
    read_document,
    update_document,
    versions,
    write_document,
)
from netstitch.records.run_record import RunRecord, read_run
from netstitch.records.unchanged import (
    check_folder,
    check_samples,
    is_refined,
    network_digests,
    note_refined,
    sample_digests,
    stitches_digest,
)

__all__ = [
    "Outcome",
    "RunDocument",
    "RunRecord",
    "check_folder",
    "check_front",
    "check_samples",
    "is_refined",
    "keep_warnings",
    "network_digests",
    "note_refined",
    "read_document",
    "read_run",
    "sample_digests",
    "stitches_digest",
    "update_document",
    "versions",
    "write_document",
]

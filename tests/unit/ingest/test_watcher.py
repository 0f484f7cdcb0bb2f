"""The rate at which a watcher without events reads the record of its job."""

from tiro_ingest.jobs.watcher import SILENCES_MAX, _is_check_due


def test_a_silent_watcher_reads_the_record_less_and_less_often() -> None:
    """A watcher reads often at first, and later at a low, constant rate."""
    due = [silences for silences in range(3 * SILENCES_MAX + 1) if _is_check_due(silences)]
    assert due == [0, 1, 2, 4, 8, 16, 32, 64, 96]

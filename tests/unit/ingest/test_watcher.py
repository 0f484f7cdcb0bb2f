"""How often a silent watcher reads the record of its job."""

from tiro_ingest.jobs.watcher import SILENCES_MAX, _is_check_due


def test_silent_watchers_read_ever_more_seldom() -> None:
    """At first often, later at a steady rate that many watchers can have."""
    due = [silences for silences in range(3 * SILENCES_MAX + 1) if _is_check_due(silences)]
    assert due == [0, 1, 2, 4, 8, 16, 32, 64, 96]

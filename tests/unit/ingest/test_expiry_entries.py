"""The buckets of time that a search for due jobs reads."""

import pytest

from tiro_ingest.jobs.expiry_entries import WIDEST, widest_bucket

BUCKETS_MAX = 8 + 256 + 256
"""The most buckets that a search of 400 days reads: those of 50 days, and those of the last 50 days."""


def buckets(first: int, present: int) -> dict[str, range]:
    """The buckets from a moment to the present, by their tokens, with their moments."""
    found: dict[str, range] = {}
    while first <= present:
        bucket, length = widest_bucket(first, present)
        found[bucket] = range(first, first + length)
        first += length
    return found


@pytest.mark.parametrize("present", [8 * WIDEST, 9 * WIDEST - 1, 8 * WIDEST + 0x1234])
def test_a_search_reads_each_moment_once(present: int) -> None:
    """The buckets cover all moments up to the present. No bucket is in another, and there are few."""
    found = buckets(WIDEST, present)
    assert [moment for moments in found.values() for moment in moments] == list(range(WIDEST, present + 1))
    assert not [bucket for bucket in found if any(other.startswith(f"{bucket}.") for other in found)]
    assert len(found) <= BUCKETS_MAX

"""Waits before retries."""

from hypothesis import given
from hypothesis import strategies as st

from tiro_engines.backoff import backoff


@given(st.integers(1, 10_000))
def test_a_wait_is_between_half_and_the_whole(tries: int) -> None:
    """A wait is between half and the whole of a time that doubles with each try, up to a limit."""
    full = min(60.0, 2.0 * 2.0 ** min(tries - 1, 10))
    assert full / 2 <= backoff(tries, first_seconds=2.0, seconds_max=60.0) <= full

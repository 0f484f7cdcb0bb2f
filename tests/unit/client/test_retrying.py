"""Retries: which errors, how often, and after which waits."""

import time
from datetime import timedelta

import pytest

from tiro_client.calls import retrying
from tiro_client.calls.retrying import CALL_ATTEMPTS_MAX, STREAM_ATTEMPTS_MAX, Backoff, is_transient
from tiro_client.errors import (
    DeadlineExceeded,
    InternalError,
    InvalidRequest,
    ResourceExhausted,
    TiroError,
    Unavailable,
)

AWAY = Unavailable("away")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Unavailable("away"), True),
        (ResourceExhausted("full", retry_after=timedelta(seconds=1)), True),
        (ResourceExhausted("too large"), False),
        (InvalidRequest("wrong"), False),
        (InternalError("broken"), False),
        (DeadlineExceeded("late"), False),
    ],
)
def test_transient_errors(error: TiroError, expected: bool) -> None:
    """UNAVAILABLE, and RESOURCE_EXHAUSTED with a retry delay, are transient. Other errors are not."""
    assert is_transient(error) is expected


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits, recorded instead of slept."""
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("tiro_client.calls.retrying.asyncio.sleep", note)
    return waited


async def test_a_stream_without_progress_is_given_up(waits: list[float]) -> None:
    """A stream that breaks repeatedly without progress raises its error, after waits that grow to a limit."""
    backoff = Backoff(STREAM_ATTEMPTS_MAX)
    for _ in range(STREAM_ATTEMPTS_MAX - 1):
        await backoff.wait(AWAY)
    with pytest.raises(Unavailable) as raised:
        await backoff.wait(AWAY)
    assert raised.value is AWAY
    without_jitter = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2] + [retrying.WAIT_SECONDS_MAX] * 8
    assert [wait - expected for wait, expected in zip(waits, without_jitter, strict=True)] == pytest.approx(
        [retrying.WAIT_SECONDS_MIN / 2] * len(waits), abs=retrying.WAIT_SECONDS_MIN / 2
    )


async def test_progress_resets_the_count_of_attempts(waits: list[float]) -> None:
    """A stream that breaks often and makes progress in between is resumed without limit."""
    backoff = Backoff(STREAM_ATTEMPTS_MAX)
    for _ in range(STREAM_ATTEMPTS_MAX * 5):
        await backoff.wait(AWAY)
        await backoff.wait(AWAY, progressed=True)
    assert len(waits) == STREAM_ATTEMPTS_MAX * 10
    assert max(waits) <= 2 * retrying.WAIT_SECONDS_MIN


async def test_the_delay_that_the_service_asks_for_is_respected(waits: list[float]) -> None:
    """The wait has the delay of the error, up to a limit."""
    backoff = Backoff(STREAM_ATTEMPTS_MAX)
    await backoff.wait(TiroError("full", retry_after=timedelta(seconds=2)))
    await backoff.wait(TiroError("full", retry_after=timedelta(hours=2)))
    assert 2 <= waits[0] <= 2 + retrying.WAIT_SECONDS_MIN
    assert waits[1] <= retrying.WAIT_SECONDS_MAX + retrying.WAIT_SECONDS_MIN


async def test_no_attempt_begins_after_the_time_limit(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow attempts reach the limit of time before the limit of attempts."""
    now = time.monotonic()
    monkeypatch.setattr("tiro_client.calls.retrying.time.monotonic", lambda: now)
    backoff = Backoff(CALL_ATTEMPTS_MAX, seconds_max=30)
    now += 29.5
    await backoff.wait(AWAY)
    now += 0.5
    with pytest.raises(Unavailable):
        await backoff.wait(AWAY)
    assert len(waits) == 1

"""What is tried again."""

from datetime import timedelta

import pytest

from tiro_client.calls import retrying
from tiro_client.calls.retrying import FRUITLESS_MAX, Resumption, is_transient
from tiro_client.errors import (
    DeadlineExceeded,
    InternalError,
    InvalidRequest,
    ResourceExhausted,
    TiroError,
    Unavailable,
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Unavailable("away"), True),
        (ResourceExhausted("full", retry_after=timedelta(seconds=1)), True),
        (ResourceExhausted("too large"), False),
        (InvalidRequest("wrong"), False),
        (InternalError("broken"), False),
        (DeadlineExceeded("late"), False),
        (ValueError("not ours"), False),
    ],
)
def test_only_what_may_pass_is_transient(error: Exception, expected: bool) -> None:
    """A call is repeated when the service is away, or full and says when to come again."""
    assert is_transient(error) is expected


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that were asked for, instead of waiting."""
    waited: list[float] = []

    async def note(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("tiro_client.calls.retrying.asyncio.sleep", note)
    return waited


async def test_a_stream_without_progress_is_given_up(waits: list[float]) -> None:
    """A stream that breaks again and again without progress raises what broke it, after waits that grow to a limit."""
    resumption, error = Resumption(), Unavailable("away")
    for _ in range(FRUITLESS_MAX - 1):
        await resumption.pause(error, progressed=False)
    with pytest.raises(Unavailable) as raised:
        await resumption.pause(error, progressed=False)
    assert raised.value is error
    assert waits[0] < 0.5
    assert max(waits) <= retrying.WAIT_SECONDS_MAX + retrying.WAIT_SECONDS_MIN


async def test_progress_begins_the_count_anew(waits: list[float]) -> None:
    """A stream that breaks often but gets on is resumed for ever."""
    resumption, error = Resumption(), Unavailable("away")
    for _ in range(FRUITLESS_MAX * 5):
        await resumption.pause(error, progressed=False)
        await resumption.pause(error, progressed=True)
    assert len(waits) == FRUITLESS_MAX * 10


async def test_the_service_says_when_to_come_again(waits: list[float]) -> None:
    """The wait that the service asks for is kept, up to a limit."""
    resumption = Resumption()
    await resumption.pause(TiroError("full", retry_after=timedelta(seconds=2)), progressed=True)
    await resumption.pause(TiroError("full", retry_after=timedelta(hours=2)), progressed=True)
    assert 2 <= waits[0] <= 2 + retrying.WAIT_SECONDS_MIN
    assert waits[1] <= retrying.WAIT_SECONDS_MAX + retrying.WAIT_SECONDS_MIN

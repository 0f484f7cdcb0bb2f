"""The order in which calls of live sessions get a thread, and the batches of partials."""

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import cast

import pytest

from tiro_engines.interface import Endpointing, EngineSession, RecognitionOptions, Samples, SessionUpdate
from tiro_transcriber.engine.session_threads import (
    PARTIAL_SECONDS,
    BatchPolicy,
    CallResult,
    SessionThreads,
    WrongNumberOfResults,
    open_session_threads,
)


class Showing:
    """A session that only wants a partial."""

    checkpoint_sample = 0
    wants_partial = True
    seconds_sent = 0.0

    def __init__(self, name: str) -> None:
        self.name = name

    def advance(self, samples: Samples) -> list[SessionUpdate]:
        """Do nothing."""
        return []

    def decode_partial(self) -> list[SessionUpdate]:
        """Return no update."""
        return []

    def configure(self, recognition: RecognitionOptions, endpointing: Endpointing) -> None:
        """Do nothing."""

    def finalize(self) -> list[SessionUpdate]:
        """Return no update."""
        return []

    def close(self) -> None:
        """Do nothing."""


class Decoding:
    """Records the batches of sessions that were decoded."""

    def __init__(self) -> None:
        self.groups: list[list[str]] = []

    def __call__(self, sessions: Sequence[EngineSession]) -> list[list[SessionUpdate]]:
        """Record the batch."""
        self.groups.append([cast("Showing", session).name for session in sessions])
        return [[] for _ in sessions]


async def occupied(threads: SessionThreads, until: threading.Event) -> "asyncio.Future[CallResult[None]]":
    """Keep the only thread busy until the event."""
    taken = threading.Event()

    def occupy() -> None:
        taken.set()
        until.wait()

    running = asyncio.ensure_future(threads.run_priority(occupy))
    await asyncio.to_thread(taken.wait)
    return running


async def test_priority_calls_run_before_partials() -> None:
    """A later final is decoded first, then partials by the time at which they are due. A cancelled one is not."""
    decoding, go = Decoding(), threading.Event()
    order: list[str] = []
    now = time.monotonic()

    def final() -> None:
        order.append(f"final after {len(decoding.groups)} partials")

    async with open_session_threads(1, decoding, batch_size_max=1) as threads:
        first = await occupied(threads, go)
        late = threads.partial(Showing("late"), due=now)
        early = threads.partial(Showing("early"), due=now - 0.1)
        cancelled = threads.partial(Showing("cancelled"), due=now - 0.2)
        run_priority = asyncio.ensure_future(threads.run_priority(final))
        await asyncio.sleep(0)  # lets the task submit
        assert cancelled.cancel()
        go.set()
        await asyncio.gather(first, run_priority, asyncio.wrap_future(late), asyncio.wrap_future(early))
    assert order == ["final after 0 partials"]
    assert decoding.groups == [["early"], ["late"]]


async def test_an_overdue_partial_runs_before_later_finals() -> None:
    """Partials with an earlier deadline than a final run before it, others after it."""
    decoding, go = Decoding(), threading.Event()
    shown: list[list[str]] = []
    now = time.monotonic()
    async with open_session_threads(1, decoding, batch_size_max=1) as threads:
        first = await occupied(threads, go)
        overdue = threads.partial(Showing("overdue"), due=now - PARTIAL_SECONDS)
        due = threads.partial(Showing("due"), due=now)
        run_priority = asyncio.ensure_future(threads.run_priority(lambda: shown.extend(decoding.groups)))
        await asyncio.sleep(0)  # lets the task submit
        go.set()
        await asyncio.gather(first, run_priority, asyncio.wrap_future(overdue), asyncio.wrap_future(due))
    assert shown == [["overdue"]]
    assert decoding.groups == [["overdue"], ["due"]]


async def test_waiting_partials_are_decoded_in_one_batch() -> None:
    """A batch has up to the engine's number of partials, the longest due first."""
    decoding, go = Decoding(), threading.Event()
    async with open_session_threads(1, decoding, batch_size_max=2) as threads:
        first = await occupied(threads, go)
        jobs = [threads.partial(Showing(str(number)), due=10.0 - number) for number in range(3)]
        go.set()
        await asyncio.gather(first, *map(asyncio.wrap_future, jobs))
    assert decoding.groups == [["2", "1"], ["0"]]


async def test_a_partial_waits_for_its_batch() -> None:
    """A free thread starts once the expected number of partials waits, or after a limit of time."""
    decoding = Decoding()
    async with open_session_threads(1, decoding, batch_size_max=4) as threads:
        expected = BatchPolicy(batch_size=2, seconds_max=3600.0)
        one = threads.partial(Showing("one"), time.monotonic(), expected)
        two = threads.partial(Showing("two"), time.monotonic(), expected)
        await asyncio.gather(asyncio.wrap_future(one), asyncio.wrap_future(two))
        await asyncio.wrap_future(threads.partial(Showing("alone"), time.monotonic(), BatchPolicy(2, seconds_max=0.01)))
    assert decoding.groups == [["one", "two"], ["alone"]]


async def test_a_call_that_fails_fails_its_caller_only() -> None:
    """The exception of a call is raised by its caller, and the thread continues."""

    def fail(sessions: Sequence[EngineSession]) -> list[list[SessionUpdate]]:
        raise ZeroDivisionError

    async with open_session_threads(1, fail, batch_size_max=4) as threads:
        with pytest.raises(ZeroDivisionError):
            await threads.run_priority(lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await asyncio.wrap_future(threads.partial(Showing("one"), due=0.0))
        assert (await threads.run_priority(lambda: 7)).result == 7


class Faulty(Showing):
    """A session whose partials cannot be decoded."""


async def test_a_partial_that_fails_does_not_fail_its_batch() -> None:
    """The other sessions of a batch are decoded without the faulty one, whose caller gets the exception."""
    decoding, go = Decoding(), threading.Event()

    def decode(sessions: Sequence[EngineSession]) -> list[list[SessionUpdate]]:
        if any(isinstance(session, Faulty) for session in sessions):
            raise ZeroDivisionError
        return decoding(sessions)

    async with open_session_threads(1, decode, batch_size_max=3) as threads:
        first = await occupied(threads, go)
        sessions = [Showing("one"), Faulty("faulty"), Showing("two")]
        partials = [asyncio.wrap_future(threads.partial(session, due=0.0)) for session in sessions]
        go.set()
        one, faulty, two = await asyncio.gather(*partials, return_exceptions=True)
        await first
    assert isinstance(faulty, ZeroDivisionError)
    assert [result.result for result in (one, two) if isinstance(result, CallResult)] == [[], []]
    assert decoding.groups == [["one"], ["two"]]


@pytest.mark.parametrize("results", [[], [[], []]])
async def test_an_engine_that_returns_too_few_or_too_many_results(results: list[list[SessionUpdate]]) -> None:
    """Every caller of the batch gets an error, and the thread continues."""
    go = threading.Event()
    async with open_session_threads(1, lambda _: results, batch_size_max=3) as threads:
        first = await occupied(threads, go)
        partials = [asyncio.wrap_future(threads.partial(Showing(name), due=0.0)) for name in ("one", "two", "three")]
        go.set()
        for partial in partials:
            with pytest.raises(WrongNumberOfResults):
                await partial
        await first
        assert (await threads.run_priority(lambda: 7)).result == 7

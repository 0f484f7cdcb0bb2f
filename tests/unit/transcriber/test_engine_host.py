"""The engine host and its cancelled callers."""

import asyncio
import threading

import pytest
from structlog.testing import capture_logs

from tiro_engines.fake.engine import FakeEngine
from tiro_engines.fake.session import FakeSession
from tiro_engines.interface import CommittedContext, SessionOptions
from tiro_transcriber.engine.host import open_engine_host


class OpenedSession(FakeSession):
    """A session that records its close."""

    closed: threading.Event

    def close(self) -> None:
        """Record the close."""
        self.closed.set()


class SlowEngine(FakeEngine):
    """An engine that opens a session once `go_on` is set."""

    def __init__(self) -> None:
        super().__init__("markers", frozenset({"en"}))
        self.opening = threading.Event()
        self.go_on = threading.Event()
        self.sessions: list[OpenedSession] = []

    def open_session(
        self, options: SessionOptions, start: int, context: CommittedContext | None = None
    ) -> OpenedSession:
        """Open a session once `go_on` is set."""
        self.opening.set()
        self.go_on.wait()
        session = OpenedSession(options, start, context, self.capabilities.require_language)
        session.closed = threading.Event()
        self.sessions.append(session)
        return session


async def test_a_session_is_closed_if_its_caller_was_cancelled_during_the_open() -> None:
    """A session that is opened after the cancellation of its caller is closed."""
    engine = SlowEngine()
    async with open_engine_host(engine, job_slots=1, session_threads=1) as host:
        opening = asyncio.create_task(host.open_session(SessionOptions(), 0, None))
        await asyncio.to_thread(engine.opening.wait)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        engine.go_on.set()
    [session] = engine.sessions
    assert session.closed.is_set(), "the host has ended, and the session is still open"


async def test_a_session_is_closed_if_its_caller_was_cancelled_after_the_open() -> None:
    """A session that is open when its caller is cancelled, but not returned yet, is closed."""
    engine = SlowEngine()
    async with open_engine_host(engine, job_slots=1, session_threads=1) as host:
        opening = asyncio.create_task(host.open_session(SessionOptions(), 0, None))
        await asyncio.to_thread(engine.opening.wait)
        engine.go_on.set()
        while not engine.sessions:  # without a turn of the event loop, in which the caller would get the session
            pass
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
    [session] = engine.sessions
    assert session.closed.is_set()


class RefusingEngine(SlowEngine):
    """An engine that quotes what it got."""

    def open_session(
        self, options: SessionOptions, start: int, context: CommittedContext | None = None
    ) -> OpenedSession:
        """Fail once it may."""
        self.opening.set()
        self.go_on.wait()
        raise ValueError(f"{context} is too long")


async def test_the_fault_of_an_abandoned_opening_is_logged_as_an_exception() -> None:
    """Not as its text, which may quote the session: the log withholds the messages of exceptions."""
    engine = RefusingEngine()
    with capture_logs() as logs:
        async with open_engine_host(engine, job_slots=1, session_threads=1) as host:
            context = CommittedContext("the patient has diabetes", 0, 0)
            opening = asyncio.create_task(host.open_session(SessionOptions(), 0, context))
            await asyncio.to_thread(engine.opening.wait)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            engine.go_on.set()
    [line] = [line for line in logs if line["event"] == "abandoned_opening_failed"]
    assert isinstance(line["error"], ValueError)

"""The engine's host: what it does for a caller that is cancelled."""

import asyncio
import threading

import pytest

from tiro_engines.fake.engine import FakeEngine
from tiro_engines.fake.session import FakeSession
from tiro_engines.interface import CommittedContext, SessionOptions
from tiro_transcriber.engine.host import open_engine_host


class OpenedSession(FakeSession):
    """A session that knows whether it was closed."""

    closed: threading.Event

    def close(self) -> None:
        """Note it."""
        self.closed.set()


class SlowEngine(FakeEngine):
    """An engine that takes its time to open a session."""

    def __init__(self) -> None:
        super().__init__("markers", frozenset({"en"}))
        self.opening = threading.Event()
        self.go_on = threading.Event()
        self.sessions: list[OpenedSession] = []

    def open_session(
        self, options: SessionOptions, start: int, context: CommittedContext | None = None
    ) -> OpenedSession:
        """Open a session once it may."""
        self.opening.set()
        self.go_on.wait()
        session = OpenedSession(options, start, context, self.capabilities.require_language)
        session.closed = threading.Event()
        self.sessions.append(session)
        return session


async def test_a_session_that_is_opened_for_nobody_is_closed() -> None:
    """Its worker was stopped while the engine opened it."""
    engine = SlowEngine()
    async with open_engine_host(engine, job_slots=1, session_threads=1) as host:
        opening = asyncio.create_task(host.open_session(SessionOptions(), 0, None))
        await asyncio.to_thread(engine.opening.wait)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        engine.go_on.set()
    [session] = engine.sessions
    assert session.closed.is_set(), "the host has ended, and the session is open"


async def test_a_session_that_nobody_waits_for_any_more_is_closed() -> None:
    """The engine had opened it, and the caller was cancelled before it was given the session."""
    engine = SlowEngine()
    async with open_engine_host(engine, job_slots=1, session_threads=1) as host:
        opening = asyncio.create_task(host.open_session(SessionOptions(), 0, None))
        await asyncio.to_thread(engine.opening.wait)
        engine.go_on.set()
        while not engine.sessions:  # without giving the loop a turn, in which the caller would get it
            pass
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
    [session] = engine.sessions
    assert session.closed.is_set()

"""A caller of engine sessions, as a worker is."""

from collections.abc import Callable
from types import TracebackType

from tiro_engines.interface import (
    CommittedContext,
    Engine,
    EngineSession,
    RecognitionOptions,
    Samples,
    SessionOptions,
    SessionUpdate,
)

ENGLISH = RecognitionOptions(language="en")
OPTIONS = SessionOptions(ENGLISH)
STEP = 4_800


class Caller:
    """Opens sessions, feeds samples, and closes all sessions at the end.

    Args:
        engine: The engine.
        answered: Waits until a session has all results for the samples that it was given. Some engines use
            services that answer asynchronously.
    """

    def __init__(self, engine: Engine, answered: Callable[[EngineSession], None]) -> None:
        self.answered = answered
        self._engine = engine
        self._opened: list[EngineSession] = []

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for session in self._opened:
            session.close()

    def open(
        self, options: SessionOptions = OPTIONS, start: int = 0, context: CommittedContext | None = None
    ) -> EngineSession:
        """Open a session."""
        session = self._engine.open_session(options, start, context)
        self._opened.append(session)
        return session

    def feed(self, session: EngineSession, samples: Samples) -> list[SessionUpdate]:
        """Feed samples in steps, and decode a partial after each step."""
        updates: list[SessionUpdate] = []
        for start in range(0, len(samples), STEP):
            updates += session.advance(samples[start : start + STEP])
            self.answered(session)
            updates += session.decode_partial()
        return updates

    def stream(
        self,
        samples: Samples,
        options: SessionOptions = OPTIONS,
        start: int = 0,
        context: CommittedContext | None = None,
    ) -> list[SessionUpdate]:
        """Run a session from start to end."""
        session = self.open(options, start, context)
        return [*self.feed(session, samples), *session.finalize()]

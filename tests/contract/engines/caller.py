"""Who has sessions with an engine, as a worker has them."""

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
    """Opens sessions, hands them samples, and closes them at the end.

    Args:
        engine: Whose sessions they are.
        answered: Waits until a session knows all that the engine has to say about what it was given: there are
            services that answer when they like.
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
        """Begin a session."""
        session = self._engine.open_session(options, start, context)
        self._opened.append(session)
        return session

    def feed(self, session: EngineSession, samples: Samples) -> list[SessionUpdate]:
        """Hand samples over in steps, with a partial after each step."""
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
        """Run a whole session."""
        session = self.open(options, start, context)
        return [*self.feed(session, samples), *session.finalize()]

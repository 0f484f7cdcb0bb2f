"""An engine whose model is loaded when it is used: to the rest of the worker it is an engine as any other."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tiro_engines.interface import (
    Cancelled,
    Capabilities,
    CommittedContext,
    Endpointing,
    EngineSession,
    ModelInfo,
    RecognitionOptions,
    Samples,
    Segment,
    SessionOptions,
    SessionUpdate,
    Window,
    WindowResult,
)
from tiro_transcriber.engine.shelf import CHECK_SECONDS, SESSION_MEMORY_SECONDS_MAX, ModelShelf


class OnDemandEngine:
    """A model of a shelf. Its name, weights and capabilities are those of the catalogue, known before it is loaded.

    Args:
        shelf: Loads the model.
        model: Its name and weights.
        capabilities: What the engine can do with it.
        partial_batch_size_max: See `Engine.partial_batch_size_max`.
        turns: The windows that all models of the worker may transcribe at once.
    """

    def __init__(
        self,
        shelf: ModelShelf,
        model: ModelInfo,
        capabilities: Capabilities,
        *,
        partial_batch_size_max: int,
        turns: threading.Semaphore,
    ) -> None:
        self.model = model
        self.capabilities = capabilities
        self.partial_batch_size_max = partial_batch_size_max
        self._shelf = shelf
        self._turns = turns

    def transcribe(
        self, window: Window, options: RecognitionOptions, emit: Callable[[Segment], None], cancelled: threading.Event
    ) -> WindowResult:
        """Transcribe one window, when the model is loaded and it is its turn; see `Engine.transcribe`.

        Raises:
            EngineUnavailable, ModelTooLarge: The model is not loaded; see `ModelShelf.acquire`.
        """
        # In this order: who waits for memory must not have a turn, which others need to become done with theirs.
        with self._shelf.using(self.model.model, cancelled.is_set) as engine, self._turn(cancelled):
            return engine.transcribe(window, options, emit, cancelled)

    @contextmanager
    def _turn(self, cancelled: threading.Event) -> Iterator[None]:
        while not self._turns.acquire(timeout=CHECK_SECONDS):
            if cancelled.is_set():
                raise Cancelled
        try:
            yield
        finally:
            self._turns.release()

    def open_session(
        self, options: SessionOptions, start: int, context: CommittedContext | None = None
    ) -> EngineSession:
        """Open a live session, which keeps the model loaded; see `Engine.open_session` and `ModelShelf.acquire`."""
        name = self.model.model
        engine = self._shelf.acquire(name, lambda: False, seconds_max=SESSION_MEMORY_SECONDS_MAX)
        try:
            session = engine.open_session(options, start, context)
        except BaseException:
            self._shelf.release(name)
            raise
        return _Session(session, lambda: self._shelf.release(name))

    def decode_partials(self, sessions: Sequence[EngineSession]) -> list[list[SessionUpdate]]:
        """Decode the partials of several sessions in one batch; see `Engine.decode_partials`."""
        with self._shelf.using(self.model.model, lambda: False) as engine:
            return engine.decode_partials([one.inner if isinstance(one, _Session) else one for one in sessions])

    def close(self) -> None:
        """Nothing: the shelf has the model."""


class _Session:
    """A session that keeps its model loaded until it is closed, and until its last call has returned."""

    def __init__(self, inner: EngineSession, release: Callable[[], None]) -> None:
        self.inner = inner
        self._release = release
        self._lock = threading.Lock()
        self._calls = 0
        self._closed = False

    @property
    def checkpoint_sample(self) -> int:
        return self.inner.checkpoint_sample

    @property
    def wants_partial(self) -> bool:
        return self.inner.wants_partial

    @property
    def seconds_sent(self) -> float:
        return self.inner.seconds_sent

    def advance(self, samples: Samples) -> list[SessionUpdate]:
        with self._call():
            return self.inner.advance(samples)

    def decode_partial(self) -> list[SessionUpdate]:
        with self._call():
            return self.inner.decode_partial()

    def configure(self, recognition: RecognitionOptions, endpointing: Endpointing) -> None:
        self.inner.configure(recognition, endpointing)

    def finalize(self) -> list[SessionUpdate]:
        with self._call():
            return self.inner.finalize()

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            is_last = not self._calls
        self.inner.close()
        if is_last:
            self._release()

    @contextmanager
    def _call(self) -> Iterator[None]:
        with self._lock:
            self._calls += 1
        try:
            yield
        finally:
            with self._lock:
                self._calls -= 1
                is_last = self._closed and not self._calls
            if is_last:
                self._release()

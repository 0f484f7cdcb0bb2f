"""A window of a recording over the service: sent at the pace that is set, its finals are the segments."""

import threading
from collections.abc import Callable

from tiro_engines.amazon_transcribe.results import heard_of
from tiro_engines.amazon_transcribe.stream import Stream
from tiro_engines.backoff import backoff
from tiro_engines.interface import SAMPLE_RATE, Cancelled, EngineUnavailable, Segment, Window
from tiro_engines.pcm import float32_to_pcm16

PIECE_SAMPLES = SAMPLE_RATE
"""So much is sent between two looks at what has come."""
TRIES_MAX = 6
"""Streams that the service may refuse for now before it has said a word: its limit is for all of an account."""
BACKOFF_SECONDS = 2.0
BACKOFF_SECONDS_MAX = 30.0


def transcribe_window(
    open_stream: Callable[[], Stream],
    window: Window,
    language: str,
    emit: Callable[[Segment], None],
    cancelled: threading.Event,
    *,
    with_words: bool,
) -> str:
    """Transcribe one window, and return the language that was heard; empty where nothing was.

    Raises:
        Cancelled: Nobody wants it any more.
        EngineRefused: The service refuses it.
        EngineUnavailable: The service is away, or broke off.
    """
    for tries in range(1, TRIES_MAX + 1):
        hearing = _Hearing(open_stream(), window, language, emit, cancelled, with_words=with_words)
        try:
            return hearing.run()
        except EngineUnavailable:
            if hearing.spoken or tries == TRIES_MAX:
                raise
        if cancelled.wait(backoff(tries, first_seconds=BACKOFF_SECONDS, seconds_max=BACKOFF_SECONDS_MAX)):
            raise Cancelled
    raise AssertionError("the last try raises or returns")


class _Hearing:
    def __init__(
        self,
        stream: Stream,
        window: Window,
        language: str,
        emit: Callable[[Segment], None],
        cancelled: threading.Event,
        *,
        with_words: bool,
    ) -> None:
        self._stream = stream
        self._window = window
        self._language = language
        self._emit = emit
        self._cancelled = cancelled
        self._with_words = with_words
        self.spoken = ""

    def run(self) -> str:
        pcm = float32_to_pcm16(self._window.samples)
        try:
            for begin in range(0, len(pcm), PIECE_SAMPLES):
                self._look()
                if self._stream.has_ended:
                    raise EngineUnavailable("the service ended the stream before the recording did")
                self._stream.send(pcm[begin : begin + PIECE_SAMPLES].tobytes())
            self._stream.end()
            self._look()
        finally:
            self._stream.close()
        return self.spoken

    def _look(self) -> None:
        """Emit what has come, and see whether to go on."""
        self._leave_if_cancelled()
        for result in self._stream.take():
            heard = heard_of(result, self._window.offset, self._language)
            if heard.is_final and heard.words:
                self.spoken = heard.language or self._language
                self._emit(heard.segment(0, len(heard.words), with_words=self._with_words))
                self._leave_if_cancelled()
        if self._stream.fault is not None:
            raise self._stream.fault

    def _leave_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled

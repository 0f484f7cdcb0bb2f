"""Transcribing a window of a recording: audio is sent at the pace of the settings, finals become segments."""

import threading
from collections.abc import Callable

from tiro_engines.amazon_transcribe.results import to_result
from tiro_engines.amazon_transcribe.stream import Stream
from tiro_engines.backoff import backoff
from tiro_engines.interface import SAMPLE_RATE, Cancelled, EngineUnavailable, Segment, Window
from tiro_engines.pcm import float32_to_pcm16

CHUNK_SAMPLES = SAMPLE_RATE
"""Samples that are sent between two checks for results."""
TRIES_MAX = 6
"""Attempts to begin a stream: the service refuses some while the account is at its limit."""
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
    """Transcribe one window. Returns its language; empty where it has no speech.

    Raises:
        Cancelled: The caller has set the event.
        EngineRefused: The service refuses the stream.
        EngineUnavailable: The service does not answer, or has ended the stream early.
    """
    for tries in range(1, TRIES_MAX + 1):
        attempt = _WindowStream(open_stream(), window, language, emit, cancelled, with_words=with_words)
        try:
            return attempt.run()
        except EngineUnavailable:
            if attempt.language or tries == TRIES_MAX:
                raise
        if cancelled.wait(backoff(tries, first_seconds=BACKOFF_SECONDS, seconds_max=BACKOFF_SECONDS_MAX)):
            raise Cancelled
    raise AssertionError("the last try raises or returns")


class _WindowStream:
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
        self._requested_language = language
        self._emit = emit
        self._cancelled = cancelled
        self._with_words = with_words
        self.language = ""

    def run(self) -> str:
        pcm = float32_to_pcm16(self._window.samples)
        try:
            for begin in range(0, len(pcm), CHUNK_SAMPLES):
                self._emit_results()
                if self._stream.has_ended:
                    raise EngineUnavailable("the service ended the stream before the recording did")
                self._stream.send(pcm[begin : begin + CHUNK_SAMPLES].tobytes())
            self._stream.end()
            self._emit_results()
        finally:
            self._stream.close()
        return self.language

    def _emit_results(self) -> None:
        """Emit the finals that have come. Raises where the window cannot be continued."""
        self._raise_if_cancelled()
        for result in self._stream.take():
            found = to_result(result, self._window.offset, self._requested_language)
            if found.is_final and found.words:
                self.language = found.language or self._requested_language
                self._emit(found.segment(0, len(found.words), with_words=self._with_words))
                self._raise_if_cancelled()
        if self._stream.fault is not None:
            raise self._stream.fault

    def _raise_if_cancelled(self) -> None:
        if self._cancelled.is_set():
            raise Cancelled

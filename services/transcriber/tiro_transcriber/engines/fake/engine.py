"""The fake engine: windows of markers become segments of words."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from tiro_transcriber.engines.fake.markers import Marker, find
from tiro_transcriber.engines.fake.session import FakeSession
from tiro_transcriber.engines.fake.words import LANGUAGE, segment_of, word_of
from tiro_transcriber.engines.interface import (
    SAMPLE_RATE,
    Cancelled,
    Capabilities,
    DetectedLanguage,
    EngineSession,
    ModelInfo,
    RecognitionOptions,
    Segment,
    SessionOptions,
    SessionUpdate,
    Spoken,
    Window,
    WindowResult,
)

MODEL = "markers"
_PAUSE_SAMPLES = SAMPLE_RATE // 2
"""Silence between two markers that puts them into two segments."""


class FakeEngine:
    """Reads word markers, says `w17` for word 17."""

    partials_together_max = 1
    model = ModelInfo("fake", MODEL, f"sha256:{hashlib.sha256(b'fake/markers/1').hexdigest()}")

    def __init__(self, languages: frozenset[str]) -> None:
        self.capabilities = Capabilities(
            languages=languages, detects_language=True, word_timestamps=True, batch=True, live=True
        )

    def transcribe(
        self, window: Window, options: RecognitionOptions, emit: Callable[[Segment], None], cancelled: threading.Event
    ) -> WindowResult:
        """Emit one segment for each run of markers; see `Engine.transcribe`."""
        self.capabilities.require_language(options.language)
        language = options.language or LANGUAGE
        spoken = False
        for run in _runs(find(window.samples)):
            if cancelled.is_set():
                raise Cancelled
            words = [word_of(marker, window.offset) for marker in run]
            emit(segment_of(words, language=language, word_timestamps=options.word_timestamps))
            spoken = True
        if cancelled.is_set():
            raise Cancelled
        return WindowResult(DetectedLanguage(language, 1.0) if spoken else None)

    def open_session(self, options: SessionOptions, start: int, spoken: Spoken | None = None) -> FakeSession:
        """Begin a live session; see `Engine.open_session`."""
        self.capabilities.require_language(options.recognition.language)
        return FakeSession(options, start, spoken, self.capabilities.require_language)

    def decode_partials(self, sessions: Sequence[EngineSession]) -> list[list[SessionUpdate]]:
        """Decode what several sessions want to show; see `Engine.decode_partials`."""
        return [session.decode_partial() for session in sessions]

    def close(self) -> None:
        """Nothing is held."""


def _runs(markers: Iterable[Marker]) -> Iterator[list[Marker]]:
    run: list[Marker] = []
    for marker in markers:
        if run and marker.start - run[-1].end >= _PAUSE_SAMPLES:
            yield run
            run = []
        run.append(marker)
    if run:
        yield run

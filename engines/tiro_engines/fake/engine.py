"""The fake engine: windows of markers become segments of words.

For tests of workers that die, one word is reserved: `CRASH_WORD` in a recording ends the worker's process at once, as a
fault in a library's native code would. In a live session it is a word like others.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import inf

from tiro_engines.fake.markers import Marker, find
from tiro_engines.fake.session import FakeSession
from tiro_engines.fake.words import LANGUAGE, segment_of, word_of
from tiro_engines.interface import (
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

SPEEDS = {"markers": inf, "markers-30x": 30.0}
"""The models, and how many seconds of a recording each transcribes in a second. Live sessions have no pace."""
CRASH_WORD = 0xDEADDEAD
"""The word that kills the process of the worker that transcribes it."""
CRASH_STATUS = 86
"""The exit status of a process that was killed so."""
_PAUSE_SAMPLES = SAMPLE_RATE // 2
"""Silence between two markers that puts them into two segments."""


class FakeEngine:
    """Reads word markers, says `w17` for word 17."""

    partial_batch_size_max = 1

    def __init__(self, model: str, languages: frozenset[str]) -> None:
        self.model = ModelInfo("fake", model, f"sha256:{hashlib.sha256(f'fake/{model}/1'.encode()).hexdigest()}")
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
        done = 0
        for run in _runs(find(window.samples)):
            self._take_time(run[-1].end - done, cancelled)
            done = run[-1].end
            _crash_if_told(run)
            words = [word_of(marker, window.offset) for marker in run]
            emit(segment_of(words, language=language, word_timestamps=options.word_timestamps))
            spoken = True
        self._take_time(len(window.samples) - done, cancelled)
        return WindowResult(DetectedLanguage(language, 1.0) if spoken else None)

    def _take_time(self, samples: int, cancelled: threading.Event) -> None:
        if cancelled.wait(samples / SAMPLE_RATE / SPEEDS[self.model.model]):
            raise Cancelled

    def open_session(self, options: SessionOptions, start: int, spoken: Spoken | None = None) -> FakeSession:
        """Begin a live session; see `Engine.open_session`."""
        self.capabilities.require_language(options.recognition.language)
        return FakeSession(options, start, spoken, self.capabilities.require_language)

    def decode_partials(self, sessions: Sequence[EngineSession]) -> list[list[SessionUpdate]]:
        """Decode what several sessions want to show; see `Engine.decode_partials`."""
        return [session.decode_partial() for session in sessions]

    def close(self) -> None:
        """Nothing is held."""


def _crash_if_told(run: Iterable[Marker]) -> None:
    if any(marker.word == CRASH_WORD for marker in run):
        os._exit(CRASH_STATUS)  # no handler, no flush, no farewell


def _runs(markers: Iterable[Marker]) -> Iterator[list[Marker]]:
    run: list[Marker] = []
    for marker in markers:
        if run and marker.start - run[-1].end >= _PAUSE_SAMPLES:
            yield run
            run = []
        run.append(marker)
    if run:
        yield run

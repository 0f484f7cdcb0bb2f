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
from tiro_engines.fake.words import segment_of, spoken_language, word_of
from tiro_engines.interface import (
    SAMPLE_RATE,
    Cancelled,
    Capabilities,
    Capability,
    CommittedContext,
    DetectedLanguage,
    EngineSession,
    ModelInfo,
    RecognitionOptions,
    Segment,
    SessionOptions,
    SessionUpdate,
    Window,
    WindowResult,
)

SPEEDS = {"markers": inf, "markers-30x": 30.0}
"""The models, and the seconds of a recording that each transcribes per second. Live sessions are not slowed down."""
CRASH_WORD = 0xDEADDEAD
"""The word that kills the process of the worker that transcribes it."""
CRASH_STATUS = 86
"""The exit status of a process that this word has killed."""
_PAUSE_SAMPLES = SAMPLE_RATE // 2
"""Silence between two markers that separates two segments."""
_FEATURES = frozenset(
    {
        Capability.CAPABILITY_BATCH,
        Capability.CAPABILITY_LIVE,
        Capability.CAPABILITY_WORD_TIME_OFFSETS,
        Capability.CAPABILITY_LANGUAGE_DETECTION,
        Capability.CAPABILITY_LANGUAGE_CANDIDATES,
    }
)


class FakeEngine:
    """Reads word markers: `w17` is the text of word 17."""

    partial_batch_size_max = 1

    def __init__(self, model: str, languages: frozenset[str]) -> None:
        self.model = ModelInfo("fake", model, f"sha256:{hashlib.sha256(f'fake/{model}/1'.encode()).hexdigest()}")
        self.capabilities = Capabilities(languages, _FEATURES)

    def transcribe(
        self, window: Window, options: RecognitionOptions, emit: Callable[[Segment], None], cancelled: threading.Event
    ) -> WindowResult:
        """Emit one segment for each run of markers; see `Engine.transcribe`."""
        self.capabilities.require_language(options.language)
        language = spoken_language(options)
        found = False
        done = 0
        for run in _runs(find(window.samples)):
            self._take_time(run[-1].end - done, cancelled)
            done = run[-1].end
            _crash_on_word(run)
            words = [word_of(marker, window.offset) for marker in run]
            emit(segment_of(words, language=language, word_timestamps=options.word_timestamps))
            found = True
        self._take_time(len(window.samples) - done, cancelled)
        return WindowResult(DetectedLanguage(language, 1.0) if found else None)

    def _take_time(self, samples: int, cancelled: threading.Event) -> None:
        if cancelled.wait(samples / SAMPLE_RATE / SPEEDS[self.model.model]):
            raise Cancelled

    def open_session(self, options: SessionOptions, start: int, context: CommittedContext | None = None) -> FakeSession:
        """Open a live session; see `Engine.open_session`."""
        self.capabilities.require_language(options.recognition.language)
        return FakeSession(options, start, context, self.capabilities.require_language)

    def decode_partials(self, sessions: Sequence[EngineSession]) -> list[list[SessionUpdate]]:
        """Decode the partials of several sessions; see `Engine.decode_partials`."""
        return [session.decode_partial() for session in sessions]

    def close(self) -> None:
        """Do nothing: the engine holds no resources."""


def _crash_on_word(run: Iterable[Marker]) -> None:
    if any(marker.word == CRASH_WORD for marker in run):
        os._exit(CRASH_STATUS)  # no handler, no flush


def _runs(markers: Iterable[Marker]) -> Iterator[list[Marker]]:
    run: list[Marker] = []
    for marker in markers:
        if run and marker.start - run[-1].end >= _PAUSE_SAMPLES:
            yield run
            run = []
        run.append(marker)
    if run:
        yield run

"""The faster-whisper engine: one loaded model for all windows and sessions of a worker."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

from tiro_engines.faster_whisper.languages import Languages
from tiro_engines.faster_whisper.live_decoder import WhisperDecoder
from tiro_engines.faster_whisper.recording import WhisperRecordings
from tiro_engines.faster_whisper.windows import WhisperWindows
from tiro_engines.interface import (
    Capabilities,
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
from tiro_engines.windowed.session import LiveSession
from tiro_engines.windowed.silero import SileroModel, SileroVoiceActivity

TOGETHER_MAX = {"cpu": 4, "cuda": 16}
"""By device. On a CPU eight windows together gain little over four, and all of them wait for the last one."""


class FasterWhisperEngine:
    """Whisper for recordings, and for live speech with Silero's voice activity."""

    def __init__(self, whisper: Any, silero: SileroModel, model: ModelInfo) -> None:
        self._whisper = whisper
        self._silero = silero
        self._languages = Languages(whisper)
        self._windows = WhisperWindows(whisper, self._languages)
        self._recordings = WhisperRecordings(whisper, self._languages, self._windows)
        self.partial_batch_size_max = TOGETHER_MAX[whisper.model.device]
        self.model = model
        self.capabilities = Capabilities(
            languages=self._languages.codes,
            detects_language=self._languages.several,
            word_timestamps=True,
            batch=True,
            live=True,
            translates=self._languages.several,
            hotwords=True,
            initial_prompt=True,
            temperature=True,
            beam_size=True,
            voice_activity_filter=True,
        )

    def transcribe(
        self, window: Window, options: RecognitionOptions, emit: Callable[[Segment], None], cancelled: threading.Event
    ) -> WindowResult:
        """Transcribe one window; see `Engine.transcribe`. Cancellation is looked at after each stretch of speech."""
        self.capabilities.require_language(options.language)
        return self._recordings.transcribe(window, options, emit, cancelled)

    def open_session(self, options: SessionOptions, start: int, spoken: Spoken | None = None) -> EngineSession:
        """Begin a live session; see `Engine.open_session`."""
        self.capabilities.require_language(options.recognition.language)
        decoder = WhisperDecoder(
            self._whisper, self._languages, self._windows, options.recognition, self.capabilities.require_language
        )
        return LiveSession(decoder, SileroVoiceActivity(self._silero), options, start, spoken)

    def decode_partials(self, sessions: Sequence[EngineSession]) -> list[list[SessionUpdate]]:
        """Decode what several sessions want to show; see `Engine.decode_partials`."""
        ours = cast("Sequence[LiveSession[WhisperDecoder]]", sessions)
        wanted = {
            number: session.decoder.partial(window)
            for number, session in enumerate(ours)
            if (window := session.next_partial()) is not None
        }
        updates: list[list[SessionUpdate]] = [[] for _ in ours]
        for number, decoded in zip(wanted, self._windows.decode(list(wanted.values())), strict=True):
            updates[number] = ours[number].show_partial(decoded)
        return updates

    def close(self) -> None:
        """Free the model's memory."""
        self._whisper.model.unload_model()

"""The faster-whisper engine: one loaded model for all windows and sessions of a worker."""

import threading
from collections.abc import Callable
from typing import Any

from tiro_transcriber.engines.faster_whisper.languages import Languages
from tiro_transcriber.engines.faster_whisper.live_decoder import WhisperDecoder
from tiro_transcriber.engines.faster_whisper.recording import transcribe_window
from tiro_transcriber.engines.interface import (
    Capabilities,
    EngineSession,
    ModelInfo,
    RecognitionOptions,
    Segment,
    SessionOptions,
    Window,
    WindowResult,
)
from tiro_transcriber.live.session import LiveSession
from tiro_transcriber.live.silero import SileroModel, SileroVoiceActivity


class FasterWhisperEngine:
    """Whisper for recordings, and for live speech with Silero's voice activity."""

    def __init__(self, whisper: Any, silero: SileroModel, model: ModelInfo) -> None:
        self._whisper = whisper
        self._silero = silero
        self._languages = Languages(whisper)
        self.model = model
        self.capabilities = Capabilities(
            languages=self._languages.codes,
            detects_language=self._languages.several,
            word_timestamps=True,
            batch=True,
            live=True,
        )

    def transcribe(
        self, window: Window, options: RecognitionOptions, emit: Callable[[Segment], None], cancelled: threading.Event
    ) -> WindowResult:
        """Transcribe one window; see `Engine.transcribe`. Cancellation is looked at between segments."""
        self.capabilities.require_language(options.language)
        return transcribe_window(self._whisper, window, options, emit, cancelled)

    def open_session(self, options: SessionOptions, start: int) -> EngineSession:
        """Begin a live session; see `Engine.open_session`."""
        self.capabilities.require_language(options.recognition.language)
        decoder = WhisperDecoder(
            self._whisper, self._languages, options.recognition, self.capabilities.require_language
        )
        return LiveSession(decoder, SileroVoiceActivity(self._silero), options, start)

    def close(self) -> None:
        """Free the model's memory."""
        self._whisper.model.unload_model()

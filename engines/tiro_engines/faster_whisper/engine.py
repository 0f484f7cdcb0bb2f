"""The faster-whisper engine: one loaded model for all windows and sessions of a worker."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

from tiro_engines.faster_whisper.batch_decoder import BatchDecoder
from tiro_engines.faster_whisper.languages import Languages
from tiro_engines.faster_whisper.live_decoder import WhisperDecoder
from tiro_engines.faster_whisper.recording import RecordingTranscriber
from tiro_engines.interface import (
    Capabilities,
    Capability,
    CommittedContext,
    EngineSession,
    ModelInfo,
    RecognitionOptions,
    Segment,
    SessionOptions,
    SessionUpdate,
    Window,
    WindowResult,
)
from tiro_engines.windowed.session import WindowedSession
from tiro_engines.windowed.silero import SileroModel, SileroVoiceActivity

PARTIAL_BATCH_SIZE_MAX = {"cpu": 4, "cuda": 16}
"""By device. On a CPU a batch of eight is little faster than four, and all its sessions wait for the last one."""

FEATURES = frozenset(
    {
        Capability.CAPABILITY_BATCH,
        Capability.CAPABILITY_LIVE,
        Capability.CAPABILITY_WORD_TIME_OFFSETS,
        Capability.CAPABILITY_HOTWORDS,
        Capability.CAPABILITY_INITIAL_PROMPT,
        Capability.CAPABILITY_TEMPERATURE,
        Capability.CAPABILITY_BEAM_SIZE,
        Capability.CAPABILITY_VOICE_ACTIVITY_FILTER,
    }
)
MULTILINGUAL_FEATURES = FEATURES | {
    Capability.CAPABILITY_LANGUAGE_DETECTION,
    Capability.CAPABILITY_LANGUAGE_CANDIDATES,
    Capability.CAPABILITY_TRANSLATION,
}


class FasterWhisperEngine:
    """Whisper for recordings, and for live speech with Silero's voice activity."""

    def __init__(self, whisper: Any, silero: SileroModel, model: ModelInfo) -> None:
        self._whisper = whisper
        self._silero = silero
        self._languages = Languages(whisper)
        self._batch_decoder = BatchDecoder(whisper, self._languages)
        self._recordings = RecordingTranscriber(whisper, silero, self._languages, self._batch_decoder)
        self.partial_batch_size_max = PARTIAL_BATCH_SIZE_MAX[whisper.model.device]
        self.model = model
        self.capabilities = Capabilities(
            self._languages.codes, MULTILINGUAL_FEATURES if self._languages.several else FEATURES
        )

    def transcribe(
        self, window: Window, options: RecognitionOptions, emit: Callable[[Segment], None], cancelled: threading.Event
    ) -> WindowResult:
        """Transcribe one window; see `Engine.transcribe`. A cancellation takes effect after each batch of speech."""
        self.capabilities.require_language(options.language)
        return self._recordings.transcribe(window, options, emit, cancelled)

    def open_session(
        self, options: SessionOptions, start: int, context: CommittedContext | None = None
    ) -> EngineSession:
        """Open a live session; see `Engine.open_session`."""
        self.capabilities.require_language(options.recognition.language)
        decoder = WhisperDecoder(
            self._whisper, self._languages, self._batch_decoder, options.recognition, self.capabilities.require_language
        )
        return WindowedSession(decoder, SileroVoiceActivity(self._silero), options, start, context)

    def decode_partials(self, sessions: Sequence[EngineSession]) -> list[list[SessionUpdate]]:
        """Decode the partials of several sessions in one batch; see `Engine.decode_partials`."""
        ours = cast("Sequence[WindowedSession[WhisperDecoder]]", sessions)
        tasks = {
            number: session.decoder.partial_task(window)
            for number, session in enumerate(ours)
            if (window := session.partial_window()) is not None
        }
        updates: list[list[SessionUpdate]] = [[] for _ in ours]
        for number, hypothesis in zip(tasks, self._batch_decoder.decode(list(tasks.values())), strict=True):
            updates[number] = ours[number].accept_partial(hypothesis)
        return updates

    def close(self) -> None:
        """Free the model's memory."""
        self._whisper.model.unload_model()
